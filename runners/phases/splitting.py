"""Propose several smaller changes for an issue that is too large for one; a comment can accept them."""

from gherkin.issue.slicing import SLICES_SCHEMA, Slice, by_criteria, is_large, size, slices_from
from gherkin.issue.story import Story
from runners.contract.events import ModelReplied, RunnerEvent, SplitProposed
from runners.contract.job import Job, PhaseResult
from runners.loop.prompting import RepositoryFacts, split_prompt
from runners.loop.services import Services
from runners.models.chat import Reply
from runners.models.json_answers import read_json


def too_large(job: Job, story: Story) -> str:
    """Return in words why the issue should be split first.

    Empty if it should not, or if somebody has answered that it should be done as it is.
    """
    words, criteria = size(story, f"{story.title}\n{story.text}")
    told = any(event.type == "Instructed" for event in job.events)
    if story.scenarios is not None or job.order.answers or told or not job.settings.min_story_score:
        return ""
    return f"{words} words, {criteria} acceptance criteria" if is_large(words, criteria) else ""


def propose(
    job: Job, services: Services, story: Story, background: RepositoryFacts, why: str
) -> PhaseResult[RunnerEvent]:
    """Stop with a proposal. Raises what `ChatModel.reply` does."""
    slices = _from_model(job, services, background) or by_criteria(story)
    how = "\n\n".join(_shown(number, each) for number, each in enumerate(slices, start=1))
    reason = f"The issue is too large for one change that somebody can review ({why}).\n\n"
    if slices:
        reason += (
            f"It could be split into these:\n\n{how}\n\nComment `/agent split` to create an issue for "
            "each of them."
        )
    else:
        reason += "Say which part to do first; create separate issues for the others."
    reason += " After any other answer it is done as it is, and the answer is taken into account."
    events = [SplitProposed(stories=tuple(slices))] if slices else []
    return PhaseResult("needs_info", reason, events=events)


def _from_model(job: Job, services: Services, background: RepositoryFacts) -> list[Slice]:
    """Return the analyst's proposal; empty if its answer cannot be used."""
    paid = [e.reply for e in job.events if isinstance(e, ModelReplied) and e.phase == "split"]
    reply = paid[-1] if paid else _asked(job, services, background)
    try:
        return slices_from(read_json(reply))
    except ValueError:
        return []


def _asked(job: Job, services: Services, background: RepositoryFacts) -> Reply:
    replied = services.ask(
        "analyst", "split", split_prompt(job.run_id, job.order, background), schema=SLICES_SCHEMA
    )
    services.log([replied])
    return replied.reply


def _shown(number: int, each: Slice) -> str:
    lines = [f"{number}. {each.title}"]
    lines += [f"   - {criterion}" for criterion in each.acceptance_criteria]
    return "\n".join(lines)
