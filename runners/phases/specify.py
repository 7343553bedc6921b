"""The phase that writes the scenarios: from the work order to a committed feature file."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gherkin.coach import Advice, coach
from gherkin.lint import Finding, lint
from gherkin.spec import FEATURE_SCHEMA, Feature, FeatureInvalid, from_draft, parse, render, scenario_names
from gherkin.steps import StepDefinition
from gherkin.story import StoryInvalid, is_empty, story_from_issue
from runners.context import Background, specify_prompt
from runners.conversation import as_message
from runners.events import (
    Instructed,
    ModelReplied,
    RunnerEvent,
    SpecWritten,
)
from runners.gitio import TreeEntry, commit_on, git, read_blob, store_blob
from runners.job import FEATURE, WORK, Job, PhaseResult, Services
from runners.models.chat import Message
from runners.phases.checkout import (
    background_of,
    definitions_of,
    mirror_of,
    unbundled,
)
from runners.plaintext import one_line
from runners.workorder import ORDER_TRAILER
from runners.workspace import Mirror, branch_slug, work_ref

_DRAFTS = 3
_APPROVE = (
    "The scenarios below wait for somebody with write access. Comment `/agent approve`; or `/agent revise`, and what should be "
    "different; or `/agent approve` with scenarios of your own below it, in a ```gherkin block."
)
_QUESTIONS = 5
_FEATURE_TRAILER = "Scenarist-Feature"


def specify(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Write, check and commit the feature file; a revision takes over the one its branch has."""
    mirror = mirror_of(job, services)
    if job.order.kind == "revise":
        return _adopt(job, services, mirror)
    told = [event for event in job.events if isinstance(event, Instructed)]
    texts = [each.text for each in told]
    try:
        comments = [comment.body for comment in job.order.comments]
        story = story_from_issue(job.order.number, job.order.title, job.order.body, [*comments, *texts])
        # Scenarios that came after the run was asked for come from somebody who may approve them.
        approved = (
            bool(texts)
            and story_from_issue(job.order.number, job.order.title, "", texts).scenarios is not None
        )
    except (StoryInvalid, FeatureInvalid) as error:
        return PhaseResult("needs_info", str(error))
    if is_empty(story):
        return PhaseResult(
            "needs_info",
            "The issue does not say what should be different. Describe in a few sentences what somebody does and what "
            "they should see then, or write the scenarios yourself in a ```gherkin block: in a comment, or in the issue, whose "
            "label is then to be taken off and set again.",
        )
    advice = coach(story.model_copy(update={"text": "\n\n".join([job.order.body, *comments, *texts])}))
    if story.scenarios is None and advice.score < job.settings.min_story_score:
        return PhaseResult("needs_info", _asking(advice))
    check = partial(
        _lint, definitions=definitions_of(job, mirror), criteria=story.acceptance_criteria, job=job
    )
    if story.scenarios is not None:
        # What people wrote is taken as it is; the linter's word stands beside it.
        drafted = _Draft(story.scenarios, findings=tuple(each.message for each in check(story.scenarios)))
    else:
        drafted = _draft(job, services, background_of(job, mirror), check)
    if drafted.feature is None:
        return PhaseResult("gave_up", f"No usable scenarios came of {_DRAFTS} attempts. {drafted.problem}")
    done = _commit_spec(job, services, mirror, drafted, "model" if story.scenarios is None else "issue")
    if done.outcome == "done" and job.settings.approval == "required" and not approved:
        return replace(done, outcome="approval", reason=_APPROVE)
    return done


def _asking(advice: Advice) -> str:
    """What the author of an issue is asked before anything is begun."""
    reasons = " ".join(part.why for part in advice.parts if part.points < part.most)
    questions = "\n".join(f"- {question}" for question in advice.questions)
    return (
        f"The issue leaves too much open to write scenarios from ({advice.score} of 100 points). {reasons}\n\n{questions}\n\n"
        f"A form that leaves little open:\n\n{advice.wording}\n\n"
        "Answer in a comment, or edit the issue and set the label again."
    )


@dataclass(frozen=True)
class _Draft:
    """What came of asking for scenarios: a feature, or the problem of the last attempt."""

    feature: Feature | None
    problem: str = ""
    findings: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def _lint(
    feature: Feature, *, definitions: Sequence[StepDefinition], criteria: Sequence[str], job: Job
) -> list[Finding]:
    return lint(
        render(feature), definitions=definitions, criteria=criteria, max_scenarios=job.settings.max_scenarios
    )


def _draft(
    job: Job, services: Services, background: Background, check: Callable[[Feature], list[Finding]]
) -> _Draft:
    """Ask the model for scenarios until they parse and the linter finds no error, at most `_DRAFTS` times.

    The last attempt is taken with its errors, which its readers are told.
    """
    told = [event for event in job.events if isinstance(event, Instructed)]
    drafted = any(isinstance(event, SpecWritten) for event in job.events)
    messages = specify_prompt(
        job.run_id,
        job.order,
        background,
        max_scenarios=job.settings.max_scenarios,
        drafted=(services.artifact(FEATURE) or b"").decode() if drafted else "",
        told=[(each.by, each.text) for each in told],
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
    for attempt in range(_DRAFTS):
        if attempt < len(known):
            reply = known[attempt].reply
        else:
            engine = services.models.engine("analyst")
            started = time.monotonic()
            reply = engine.model.reply(
                messages, schema=FEATURE_SCHEMA, max_tokens=engine.max_tokens, cancel=services.cancel
            )
            services.log(
                [
                    ModelReplied(
                        phase="specify",
                        reply=reply,
                        seconds=round(time.monotonic() - started, 3),
                        runtime=engine.runtime,
                        cost=engine.prices.cost(reply.usage),
                    )
                ]
            )
        try:
            # Constrained decoding lets raw line ends into strings.
            draft = json.loads(reply.text, strict=False)
            feature = from_draft(draft, issue=job.order.number)
            if len(scenario_names(feature)) > job.settings.max_scenarios:
                raise FeatureInvalid(f"There are more than {job.settings.max_scenarios} scenarios.")
            found = check(feature)
            wrong = [each.message for each in found if each.level == "error"]
            if wrong and attempt + 1 < _DRAFTS:
                raise FeatureInvalid(" ".join(wrong))
            questions = tuple(one_line(str(each)) for each in draft.get("questions", ())[:_QUESTIONS])
            return _Draft(feature, "", tuple(each.message for each in found), questions)
        except (ValueError, FeatureInvalid) as error:
            problem = error.message if isinstance(error, FeatureInvalid) else "The answer is not JSON."
            messages = [*messages, as_message(reply), Message(role="user", text=f"{problem} Answer again.")]
    return _Draft(None, problem)


def _commit_spec(
    job: Job, services: Services, mirror: Mirror, drafted: _Draft, source: str
) -> PhaseResult[RunnerEvent]:
    feature = drafted.feature
    if feature is None:
        raise ValueError("there is no feature to commit")
    path = f"{job.settings.features}/issue_{job.order.number}_{branch_slug(job.order.title).replace('-', '_')}.feature"
    content = render(feature).encode()
    if read_blob(mirror.path, job.base, path) == content:
        return PhaseResult("gave_up", f"{path} is already in the repository, word for word.")
    message = (
        f"Specify #{job.order.number}: {one_line(job.order.title)}\n\n"
        f"{_FEATURE_TRAILER}: {path}\n{ORDER_TRAILER}: {job.order.digest}\n"
    )
    entry = TreeEntry("100644", store_blob(mirror.path, content), path)
    commit = commit_on(mirror.path, job.base, message, added=[entry])
    bundle = mirror.bundle_commit(commit, work_ref(job.run_id), base=job.base)
    written = SpecWritten.model_validate(
        {
            "path": path,
            "sha256": hashlib.sha256(content).hexdigest(),
            "source": source,
            "scenarios": scenario_names(feature),
            "commit": commit,
            "findings": drafted.findings,
            "questions": drafted.questions,
            "told": sum(isinstance(event, Instructed) for event in job.events),
        }
    )
    return PhaseResult("done", events=[written], artifacts={WORK: bundle, FEATURE: content})


def _adopt(job: Job, services: Services, mirror: Mirror) -> PhaseResult[RunnerEvent]:
    head = unbundled(job, services, mirror, WORK)
    log = git(
        "log",
        "--format=%(trailers:key=" + _FEATURE_TRAILER + ",valueonly)",
        f"{job.base}..{head}",
        git_dir=mirror.path,
    )
    paths = [line.strip() for line in log.splitlines() if line.strip()]
    content = read_blob(mirror.path, head, paths[-1]) if paths else None
    if content is None:
        return PhaseResult("gave_up", "The branch has no feature file written by Scenarist.")
    try:
        feature = parse(content.decode(), paths[-1])
    except (FeatureInvalid, UnicodeDecodeError) as error:
        return PhaseResult("gave_up", f"The feature file on the branch cannot be read: {error}")
    written = SpecWritten(
        path=paths[-1],
        sha256=hashlib.sha256(content).hexdigest(),
        source="issue",
        scenarios=tuple(scenario_names(feature)),
        commit=head,
    )
    return PhaseResult("done", events=[written], artifacts={FEATURE: content})
