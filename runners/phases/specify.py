"""The phase that writes the scenarios: from the work order to a committed feature file."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from gherkin.domain.language import Domain, DomainInvalid, Term, extended
from gherkin.feature.behave_config import CONFIG_FILES, configured_language
from gherkin.feature.draft import FEATURE_SCHEMA, from_draft
from gherkin.feature.model import Feature, FeatureInvalid, render, scenario_names
from gherkin.issue.coach import Advice, coach, says_enough
from gherkin.issue.hidden import visible
from gherkin.issue.kinds import Kind, kind_of, told_kind
from gherkin.issue.story import Story, StoryInvalid, is_empty, story_from_issue
from gherkin.lint.findings import Finding, LintCode
from gherkin.lint.linter import findings_in_words
from runners.contract.events import (
    Instructed,
    ModelReplied,
    RunnerEvent,
    SpecWritten,
)
from runners.contract.job import EXAMPLES, FEATURE, WORK, Job, PhaseResult
from runners.contract.workorder import (
    FEATURE_TRAILER,
    KIND_TRAILER,
)
from runners.git.command import (
    TreeEntry,
    commit_on,
    list_files,
    newest_subjects,
    read_blob,
    store_blob,
)
from runners.git.messages import commit_subject, message
from runners.git.workspaces import SHADOW, Mirror, branch_slug, work_ref
from runners.loop.conversation import as_message
from runners.loop.prompting import RepositoryFacts, specify_prompt
from runners.loop.services import Services
from runners.models.chat import Message
from runners.models.json_answers import NotJson, read_json
from runners.phases import examples
from runners.phases.given.checkout import (
    DOMAIN_FILE,
    asked_of,
    background_of,
    definitions_of,
    domain_of,
    fact_of,
    mirror_of,
)
from runners.phases.given.lookups import lending, looked_up
from runners.phases.given.toolkit import wanted_paths
from runners.phases.linting import Known, lint_within
from runners.phases.revision import adopt
from runners.phases.splitting import propose, too_large
from runners.policy.outside import outside, question
from runners.policy.plaintext import one_line
from runners.policy.protected import PROTECTED
from runners.repository.names import own_words
from runners.repository.snapshot import Snapshot

_DRAFTS = 3
_QUESTIONS = 5
# Only a person can say whether something was left out, or added, on purpose.
_FOR_PEOPLE: frozenset[LintCode] = frozenset(["criterion-without-scenario", "scenario-without-criterion"])


def specify(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Write, check and commit the feature file; a revision takes over that of its branch."""
    mirror = mirror_of(job, services)
    if job.order.kind == "revise":
        return adopt(job, services, mirror)
    wanted = _wanted(job)
    if isinstance(wanted, PhaseResult):
        return wanted
    story, kind = wanted.story, wanted.kind
    if kind == "chore" and story.scenarios is None:
        return _chore(job, mirror)
    if is_empty(story):
        return PhaseResult(
            "needs_info",
            "The issue does not say what should be different. Describe in a few sentences what somebody "
            "does and what they should see then, or write the scenarios yourself in a ```gherkin block.",
        )
    advice = coach(story)
    seen = job.order.seen
    answered = seen.answers and bool(seen.comments) and says_enough(seen.comments[-1].body)
    if story.scenarios is None and not answered and advice.score < job.settings.min_story_score:
        return PhaseResult("needs_info", _asking(advice))
    background = background_of(job, mirror)
    if why := too_large(job, story):
        return propose(job, services, story, background, why)
    check = partial(
        _lint,
        known=Known(
            definitions=tuple(definitions_of(job, mirror)),
            domain=_language(job, mirror),
            criteria=story.acceptance_criteria,
            max_scenarios=job.settings.max_scenarios,
            words=own_words(Snapshot(mirror.path, job.base), asked_of(job) if background.library else ""),
        ),
    )
    if story.scenarios is not None and fact_of(job):
        return PhaseResult(
            "needs_info",
            "Every scenario of the issue passes on the code as it is, so none of them says what is new. "
            "Say what should be "
            "different, or add a scenario that fails today.",
        )
    if story.scenarios is not None:
        # People's scenarios are used unchanged; the linter's findings are shown beside them.
        findings = findings_in_words(render(story.scenarios), check(story.scenarios))
        drafted = _Attempt(story.scenarios, findings=findings)
    else:
        drafted = _draft(job, services, mirror, kind, background, check)
    if drafted.feature is None:
        return PhaseResult(
            "gave_up", f"The model wrote no usable scenarios in {_DRAFTS} attempts. {drafted.problem}"
        )
    source = "model" if story.scenarios is None else "issue"
    done = _commit_spec(job, services, mirror, drafted, source, "feature" if kind == "chore" else kind)
    if done.outcome != "done" or wanted.approved:
        return done
    settings = job.settings
    protected = (*PROTECTED, *settings.protected)
    found = outside(drafted.feature, protected, wanted_paths(settings), job.repo)
    if found:
        return replace(done, outcome="approval", reason=question(found))
    return replace(done, outcome="approval") if settings.approval == "required" else done


class _Wanted(NamedTuple):
    """What is asked for; `approved` says that somebody who may approve them wrote its scenarios."""

    story: Story
    kind: Kind
    approved: bool


def _wanted(job: Job) -> _Wanted | PhaseResult[RunnerEvent]:
    """Return what the issue and the comments ask for, or the end of the phase if that cannot be read."""
    seen = job.order.seen
    told = [event for event in job.events if isinstance(event, Instructed)]
    # A correction holds until somebody says something else.
    current = [each for each in told if not each.corrects or each is told[-1]]
    texts = [visible(each.text)[0] for each in current]
    corrected = bool(told) and told[-1].corrects
    comments = [comment.body for comment in seen.comments]
    try:
        story = story_from_issue(seen.number, seen.title, seen.body, [*comments, *texts])
        # Scenarios that came after the run was asked for come from somebody who may approve them.
        approved = (
            bool(texts)
            and not corrected
            and story_from_issue(job.order.number, job.order.title, "", texts).scenarios is not None
        )
    except (StoryInvalid, FeatureInvalid) as error:
        if corrected:
            # The scenarios from before the edit still wait.
            return PhaseResult("approval", f"The edited scenarios cannot be read: {error.message}")
        return PhaseResult("needs_info", str(error))
    named = told_kind([*comments, *texts])
    return _Wanted(story, named or kind_of(seen.title, seen.body, seen.labels), approved)


def _asking(advice: Advice) -> str:
    """Return what the author of an issue is asked before the work begins."""
    reasons = " ".join(part.why for part in advice.parts if part.points < part.most)
    questions = "\n".join(f"- {question}" for question in advice.questions)
    return (
        f"The issue leaves too much open to write scenarios from ({advice.score} of 100 points). "
        f"{reasons}\n\n{questions}\n\n"
        f"A more precise form:\n\n{advice.wording}"
    )


@dataclass(frozen=True)
class _Attempt:
    """The result of asking for scenarios: a feature, or the problem of the last attempt."""

    feature: Feature | None
    problem: str = ""
    findings: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()


def _lint(feature: Feature, known: Known) -> list[Finding]:
    """Return the linter's findings on a feature, in the form in which it will be written."""
    return lint_within(render(feature), known)


def _draft(
    job: Job,
    services: Services,
    mirror: Mirror,
    kind: Kind,
    background: RepositoryFacts,
    check: Callable[[Feature], list[Finding]],
) -> _Attempt:
    """Ask the model for scenarios until they parse and the linter finds no error, at most `_DRAFTS`
    times.

    The linter's remarks go back to the model once. The last draft that parses is used with its errors, and
    its readers are told of them.
    """
    told = [event for event in job.events if isinstance(event, Instructed)]
    drafted = any(isinstance(event, SpecWritten) for event in job.events)
    messages = specify_prompt(
        job.run_id,
        job.order,
        background,
        kind=kind,
        max_scenarios=job.settings.max_scenarios,
        drafted=(services.artifact(FEATURE) or b"").decode() if drafted else "",
        told=[(each.by, each.text) for each in told],
        fact=fact_of(job),
    )
    # A run that was interrupted here uses the replies it has paid for, since it was last told something.
    latest = max(
        (at for at, event in enumerate(job.events) if isinstance(event, (SpecWritten, Instructed))),
        default=-1,
    )
    known = [
        event
        for event in job.events[latest + 1 :]
        if isinstance(event, ModelReplied) and event.phase == "specify"
    ]
    problem = ""
    usable: _Attempt | None = None
    spoilt = False
    for attempt in range(_DRAFTS):
        if attempt < len(known):
            reply = known[attempt].reply
        else:
            if not attempt:
                lend = lending(job, services, mirror, job.base)
                messages = looked_up(job, services, "analyst", messages, lend=lend, log=services.log)
            replied = services.ask("analyst", "specify", messages, schema=FEATURE_SCHEMA)
            services.log([replied])
            reply = replied.reply
        try:
            given = read_json(reply)
            feature = from_draft(given, issue=job.order.number)
            if len(scenario_names(feature)) > job.settings.max_scenarios:
                raise FeatureInvalid(f"There are more than {job.settings.max_scenarios} scenarios.")
        except (NotJson, FeatureInvalid) as error:
            problem = error.message if isinstance(error, FeatureInvalid) else str(error)
            said = f"{problem} Answer again."
        else:
            found = check(feature)
            wrong = any(each.level == "error" for each in found)
            first = usable is None
            # A draft without errors is not given up for one that has some.
            if usable is None or spoilt or not wrong:
                usable, spoilt = _drafted(given, feature, found), wrong
            if not wrong and not (found and first):
                break
            said = _sent_back(feature, found)
        messages = [*messages, as_message(reply), Message(role="user", text=said)]
    return usable or _Attempt(None, problem)


def _drafted(given: Mapping[str, Any], feature: Feature, found: Sequence[Finding]) -> _Attempt:
    """Return a draft that can be used, with those of the linter's findings that a person has to decide."""
    questions = tuple(one_line(str(each)) for each in given.get("questions", ())[:_QUESTIONS])
    terms = tuple(
        Term(term=one_line(each["term"]), meaning=one_line(each["meaning"]))
        for each in given.get("terms", ())
    )
    open_ones = [each for each in found if each.level == "error" or each.code in _FOR_PEOPLE]
    return _Attempt(feature, "", findings_in_words(render(feature), open_ones), questions, terms)


def _sent_back(feature: Feature, found: Sequence[Finding]) -> str:
    """Return the linter's findings that go back to the model: errors each time, remarks once."""
    lines = [f"- {each}" for each in findings_in_words(render(feature), found)]
    return (
        "The linter found this in the scenarios:\n"
        + "\n".join(lines)
        + "\nCorrect what is justified, change nothing else, and answer with the whole object again."
    )


def _language(job: Job, mirror: Mirror) -> Domain:
    """Return the domain language for the linter; an unreadable file counts as none."""
    try:
        return domain_of(job, mirror)
    except DomainInvalid:
        return Domain()


def _configured_language(job: Job, mirror: Mirror) -> str | None:
    """Return the language in which behave reads features that name none; None means English."""
    blobs = {name: read_blob(mirror.path, job.base, name) for name in CONFIG_FILES}
    texts = {name: blob.decode(errors="replace") for name, blob in blobs.items() if blob is not None}
    return configured_language(texts)


def _grown(job: Job, mirror: Mirror, terms: Sequence[Term]) -> list[TreeEntry]:
    """Return the repository's own domain file, if it has one, with the new words of the draft."""
    text = read_blob(mirror.path, job.base, DOMAIN_FILE)
    try:
        more = extended(text.decode(), terms) if text is not None else None
    except (DomainInvalid, UnicodeDecodeError):
        return []
    if more is None:
        return []
    return [TreeEntry("100644", store_blob(mirror.path, more.encode()), DOMAIN_FILE)]


def _chore(job: Job, mirror: Mirror) -> PhaseResult[RunnerEvent]:
    """Return the result for a chore, which has no scenarios: the verdict allows only documentation to
    change.
    """
    commit = commit_on(mirror.path, job.base, "A chore has no scenarios")
    written = SpecWritten(path="", sha256="", source="issue", scenarios=(), commit=commit, kind="chore")
    bundle = mirror.bundle_commit(commit, work_ref(job.run_id), base=job.base)
    return PhaseResult("done", events=[written], artifacts={WORK: bundle})


def _beside(job: Job, mirror: Mirror) -> bool:
    """Return whether scenarios and steps stay out of the change."""
    if job.settings.features != "auto":
        return job.settings.features == "shadow"
    folder = f"{job.settings.features_folder}/"
    return not any(
        path.startswith(folder) and path.endswith(".feature") for path in list_files(mirror.path, job.base)
    )


def _commit_spec(
    job: Job, services: Services, mirror: Mirror, drafted: _Attempt, source: str, kind: Kind
) -> PhaseResult[RunnerEvent]:
    feature = drafted.feature
    if feature is None:
        raise ValueError("there is no feature to commit")
    beside = _beside(job, mirror)
    folder = SHADOW if beside else job.settings.features_folder
    path = f"{folder}/issue_{job.order.number}_{branch_slug(job.order.title).replace('-', '_')}.feature"
    content = render(feature, _configured_language(job, mirror)).encode()
    if read_blob(mirror.path, job.base, path) == content:
        return PhaseResult("gave_up", f"{path} is already in the repository, word for word.")
    log = newest_subjects(mirror.path, job.base)
    trailers = {
        **job.order.trailers,
        FEATURE_TRAILER: path,
        KIND_TRAILER: kind,
    }
    text = message(commit_subject("Specify", job.order.title, kind, job.order.cited, log), "", trailers)
    entry = TreeEntry("100644", store_blob(mirror.path, content), path)
    language = [] if beside else _grown(job, mirror, drafted.terms)
    commit = commit_on(mirror.path, job.base, text, added=[entry, *language])
    bundle = mirror.bundle_commit(commit, work_ref(job.run_id), base=job.base)
    written = SpecWritten.model_validate(
        {
            "path": path,
            "sha256": hashlib.sha256(content).hexdigest(),
            "source": source,
            "scenarios": scenario_names(feature),
            "commit": commit,
            "kind": kind,
            "shadow": beside,
            "findings": drafted.findings,
            "questions": drafted.questions,
            "told": sum(isinstance(event, Instructed) for event in job.events),
        }
    )
    artifacts = {WORK: bundle, FEATURE: content, EXAMPLES: examples.written(job, services, feature)}
    return PhaseResult("done", events=[written], artifacts=artifacts)
