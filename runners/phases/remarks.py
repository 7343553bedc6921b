"""The specification of a revision: scenarios for what its review asks for and no scenario says yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gherkin.feature.model import Feature, FeatureInvalid, render
from gherkin.feature.revising import (
    REMARKS_SCHEMA,
    Addition,
    additions_from_draft,
    merged,
    revised,
)
from gherkin.issue.hidden import visible
from gherkin.issue.story import story_from_issue
from gherkin.lint.linter import findings_in_words
from runners.contract.events import Instructed, ModelReplied, SpecWritten
from runners.contract.job import FEATURE, Job
from runners.contract.workorder import ReviewDemand, WorkOrder
from runners.git.workspaces import Mirror
from runners.loop.conversation import as_message
from runners.loop.prompting import remarks_prompt
from runners.loop.services import Services
from runners.models.chat import Message, ModelRefusedRequest, Reply
from runners.models.json_answers import NotJson, read_json
from runners.phases.given.checkout import background_of, definitions_of, fact_of
from runners.phases.linting import Known, lint_within
from runners.phases.threads import REVIEW
from runners.policy.plaintext import one_line

_DRAFTS = 3
_MAX_TEXT = 300
_MOST = 50  # scenarios of a whole feature, those of earlier revisions included
_MAX_FINDINGS = 10


@dataclass(frozen=True)
class Demanded:
    """The feature with what a review asks for, and what was `added`.

    `findings` is what the linter says of that, `approved` whether people who may approve scenarios wrote all
    of it, and `told` how many instructions are in it.
    """

    feature: Feature
    added: tuple[Addition, ...] = ()
    demands: tuple[ReviewDemand, ...] = ()
    findings: tuple[str, ...] = ()
    approved: bool = True
    told: int = 0


def asks_for_behaviour(order: WorkOrder) -> bool:
    """Return whether a work order has remarks of people, which may ask for different behaviour."""
    return order.kind == "revise" and not order.failed_jobs and not order.rebase


def demanded(
    job: Job, services: Services, mirror: Mirror, feature: Feature, head: str, applied: Sequence[int]
) -> Demanded:
    """Return the pull request's `feature` with the scenarios that the review asks for.

    Scenarios in a Gherkin block are taken as they are. A model decides which of the other remarks ask for
    different behaviour. `applied` are threads whose suggestion is applied, which ask for nothing else. Raises
    `ScenaristError` if a block cannot be read.
    """
    drafts = [event for event in job.events if isinstance(event, SpecWritten) and event.demands]
    told = [event for event in job.events if isinstance(event, Instructed)] if drafts else []
    if told and (given := _written(visible(told[-1].text)[0])) is not None:
        added = merged(feature, given)
        demands = _kept(added, drafts[-1].demands, told[-1])
        whole = revised(feature, added)
        return Demanded(whole, tuple(added), demands, approved=not told[-1].corrects, told=len(told))
    remarks = _remarks(job.order, applied)
    added = []
    for thread, (_, text) in remarks.items():
        written = _written(text)
        own = merged(feature, written) if written is not None else []
        added += [each._replace(thread=thread) for each in own]
    left = {thread: said for thread, said in remarks.items() if _written(said[1]) is None}
    whole = revised(feature, added)
    found: Demanded | None = None
    if left and services.models.has("analyst"):
        found = _asked(job, services, mirror, whole, head, list(left), told)
        added += found.added
    return Demanded(
        found.feature if found else whole,
        tuple(added),
        _demands(added, remarks),
        found.findings if found else (),
        approved=found is None or not found.added,
        told=len(told),
    )


def _remarks(order: WorkOrder, applied: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return thread -> (author, text) of all that the review asks; its own text is `REVIEW`."""
    seen = order.seen
    found = {REVIEW: (order.requested_by, seen.review_body)} if seen.review_body.strip() else {}
    for thread in seen.threads:
        if thread.comments and thread.id not in applied:
            last = thread.comments[-1]
            found[thread.id] = (last.author, last.body)
    return found


def _written(text: str) -> Feature | None:
    """Return the scenarios that somebody wrote in a Gherkin block of `text`."""
    return story_from_issue(0, "The review", "", [text]).scenarios


def _demands(added: Sequence[Addition], remarks: Mapping[int, tuple[str, str]]) -> tuple[ReviewDemand, ...]:
    found = []
    for thread in dict.fromkeys(each.thread for each in added):
        by, text = remarks[thread]
        own = [each for each in added if each.thread == thread]
        found.append(
            ReviewDemand(
                thread=thread,
                by=by,
                text=one_line(text, _MAX_TEXT),
                scenarios=tuple(each.scenario.name for each in own),
                replaced=tuple(dict.fromkeys(each.replaces for each in own if each.replaces)),
            )
        )
    return tuple(found)


def _kept(
    added: Sequence[Addition], before: Sequence[ReviewDemand], told: Instructed
) -> tuple[ReviewDemand, ...]:
    """Return the demands after somebody rewrote the scenarios: scenarios with known names keep their
    remarks.
    """
    names = {each.scenario.name: each.replaces for each in added}
    found = []
    for demand in before:
        own = tuple(name for name in demand.scenarios if name in names)
        if own:
            found.append(demand.model_copy(update={"scenarios": own}))
    known = {name for demand in found for name in demand.scenarios}
    fresh = [each for each in added if each.scenario.name not in known]
    if fresh:
        found += _demands([each._replace(thread=REVIEW) for each in fresh], {REVIEW: (told.by, told.text)})
    return tuple(found)


def _asked(
    job: Job,
    services: Services,
    mirror: Mirror,
    feature: Feature,
    head: str,
    threads: Sequence[int],
    told: Sequence[Instructed],
) -> Demanded:
    """Ask the analyst which of `threads` ask for different behaviour, at most `_DRAFTS` times.

    A draft with errors of the linter goes back once. If no draft can be used, the revision continues without
    one, and its readers are told.
    """
    on_branch = replace(job, base=head)
    known = Known(definitions=tuple(definitions_of(on_branch, mirror)), max_scenarios=_MOST)
    before = {(each.code, each.message) for each in lint_within(render(feature), known)}
    messages = remarks_prompt(
        job.run_id,
        job.order,
        background_of(on_branch, mirror),
        feature=render(feature),
        most=job.settings.max_scenarios,
        drafted=(services.artifact(FEATURE) or b"").decode(errors="replace") if told else "",
        told=[(each.by, each.text) for each in told],
        fact=fact_of(job),
    )
    paid = _paid(job)
    best: Demanded | None = None
    said = ""
    for attempt in range(_DRAFTS):
        reply = paid[attempt] if attempt < len(paid) else _ask(services, messages)
        if reply is None:
            break
        try:
            added = additions_from_draft(read_json(reply), feature, threads)
            if len(added) > job.settings.max_scenarios:
                raise FeatureInvalid(f"There are more than {job.settings.max_scenarios} scenarios.")
            whole = revised(feature, added)
        except (NotJson, FeatureInvalid) as error:
            said = f"{error.message if isinstance(error, FeatureInvalid) else error} Answer again."
        else:
            fresh = [
                each for each in lint_within(render(whole), known) if (each.code, each.message) not in before
            ]
            words = tuple(findings_in_words(render(whole), fresh))
            wrong = any(each.level == "error" for each in fresh) and bool(added)
            if best is None or not wrong:
                best = Demanded(whole, tuple(added), findings=words[:_MAX_FINDINGS])
            if not wrong or attempt > 0:
                return best
            lines = "\n".join(f"- {each}" for each in words)
            said = f"The linter found this in the scenarios:\n{lines}\nAnswer with all of them again."
        messages = [*messages, as_message(reply), Message(role="user", text=said)]
    problem = "The model's scenarios for what the review asks could not be used, so it has none of its own."
    return best or Demanded(feature, findings=(problem,))


def _ask(services: Services, messages: Sequence[Message]) -> Reply | None:
    try:
        replied = services.ask("analyst", "remarks", messages, schema=REMARKS_SCHEMA)
    except ModelRefusedRequest:
        return None
    services.log([replied])
    return replied.reply


def _paid(job: Job) -> list[Reply]:
    """Return the replies that an interrupted run has got already since its last message to the model."""
    latest = max(
        (at for at, event in enumerate(job.events) if isinstance(event, (SpecWritten, Instructed))),
        default=-1,
    )
    return [
        event.reply
        for event in job.events[latest + 1 :]
        if isinstance(event, ModelReplied) and event.phase == "remarks"
    ]
