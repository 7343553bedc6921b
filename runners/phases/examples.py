"""Held-out examples: the analyst writes them beside the scenarios, and the implementing model never sees
them.
"""

from collections.abc import Sequence

from gherkin.feature.draft import EXAMPLES_SCHEMA, examples_from_draft
from gherkin.feature.model import Feature, FeatureInvalid, Scenario, render
from runners.contract.events import ModelReplied, RunnerEvent, SpecWritten, VerdictReached
from runners.contract.job import Job
from runners.loop.conversation import as_message
from runners.loop.prompting import examples_prompt
from runners.loop.services import Services
from runners.models.chat import Message, ModelRefusedRequest, Reply
from runners.models.json_answers import NotJson, read_json
from runners.verify.experiments.held_out import read_examples, without
from runners.verify.findings import HeldOut

_TRIES = 2


def written(job: Job, services: Services, feature: Feature) -> bytes:
    """Return further examples of the scenarios of `feature` as a feature file; empty if none can be used."""
    most = job.settings.held_out
    if not most or not services.models.has("analyst"):
        return b""
    latest = max((at for at, event in enumerate(job.events) if isinstance(event, SpecWritten)), default=-1)
    # A run that was interrupted here uses the reply it has paid for.
    paid = [
        event.reply
        for event in job.events[latest + 1 :]
        if isinstance(event, ModelReplied) and event.phase == "examples"
    ]
    return _asked(job, services, feature, most, paid=paid)


def extended(job: Job, services: Services, feature: Feature, content: bytes, added: Sequence[str]) -> bytes:
    """Return the examples in `content` with examples of the `added` scenarios, of which it may have others
    or none.
    """
    kept = _joined(content.decode(errors="replace"), "", _only(feature, added, wanted=False))
    fresh = written(job, services, _only(feature, added, wanted=True)).decode()
    return _joined(kept, fresh, feature).encode()


def _only(feature: Feature, names: Sequence[str], *, wanted: bool) -> Feature:
    """Return the feature with only the scenarios called `names`, or with all others."""

    def left(scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
        return tuple(each for each in scenarios if (each.name in names) is wanted)

    rules = [rule.model_copy(update={"scenarios": left(rule.scenarios)}) for rule in feature.rules]
    return feature.model_copy(
        update={
            "scenarios": left(feature.scenarios),
            "rules": tuple(rule for rule in rules if rule.scenarios),
        }
    )


def replaced(job: Job, services: Services, feature: Feature, content: str, shown: Sequence[str]) -> bytes:
    """Return the examples in `content`, with others in the place of those that the model was shown."""
    left = without(content, shown)
    fresh = _asked(job, services, feature, 1, known=content).decode()
    fresh = without(fresh, shown) if fresh else ""
    return _joined(left, fresh, feature).encode()


def failed_examples(events: Sequence[RunnerEvent]) -> list[HeldOut]:
    """Return the held-out examples that failed in the newest verdict."""
    verdicts = [event.verdict for event in events if isinstance(event, VerdictReached)]
    return [each for each in verdicts[-1].held_out if each.outcome == "failed"] if verdicts else []


def _asked(
    job: Job, services: Services, feature: Feature, most: int, known: str = "", paid: Sequence[Reply] = ()
) -> bytes:
    """Ask the analyst for at most `most` examples of each scenario, and once more if the answer cannot
    be used.

    `paid` are replies that an interrupted run has got already. Returns a feature file, empty without
    examples.
    """
    messages = examples_prompt(job.run_id, job.order, feature=render(feature), most=most, known=known)
    for attempt in range(_TRIES):
        if attempt < len(paid):
            reply = paid[attempt]
        else:
            try:
                replied = services.ask("analyst", "examples", messages, schema=EXAMPLES_SCHEMA)
            except ModelRefusedRequest:
                return b""  # a run goes on without examples
            services.log([replied])
            reply = replied.reply
        content, problem = _read(reply, feature, most)
        if not problem:
            return content
        said = f"{problem} Answer again, with the same steps as in the scenarios and other values."
        messages = [*messages, as_message(reply), Message(role="user", text=said)]
    return b""


def _read(reply: Reply, feature: Feature, most: int) -> tuple[bytes, str]:
    """Return the examples of a reply that fit the scenarios, at most `most` of each, or why none can be used.

    Having no example is an answer, too.
    """
    try:
        draft = read_json(reply)
        if draft.get("examples") == []:
            return b"", ""
        text = render(examples_from_draft(draft, feature))
        found, problems = read_examples(text, feature)
    except NotJson as error:
        return b"", str(error)
    except FeatureInvalid as error:
        return b"", error.message
    if not found:
        return b"", " ".join(problems[:3]) or "These are the scenarios themselves."
    return _joined("", text, feature, most).encode(), ""


def _joined(first: str, second: str, feature: Feature, most: int = 0) -> str:
    """Return one feature file with the examples of two that fit the scenarios of `feature`.

    It has at most `most` of each scenario (0: all).
    """
    kept = [
        example for content in (first, second) if content for example in read_examples(content, feature)[0]
    ]
    counted: dict[str, int] = {}
    scenarios = []
    for example in kept:
        counted[example.scenario] = counted.get(example.scenario, 0) + 1
        if not most or counted[example.scenario] <= most:
            scenarios.append(example.found)
    if not scenarios:
        return ""
    update = {"scenarios": tuple(scenarios), "rules": (), "background": None}
    return render(feature.model_copy(update=update))
