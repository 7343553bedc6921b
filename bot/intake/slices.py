"""A split that was accepted: an issue for each of the stories, once, and a comment that names them."""

from bot.forges.backlog import Backlog
from bot.forges.forge import Forge
from bot.intake.backlog import BacklogStory, import_backlog
from bot.intake.decisions.work_orders import AcceptSplit
from bot.report.escape import inline, value
from gherkin.issue.slicing import Slice
from runners.policy.plaintext import one_line


def make_issues(decision: AcceptSplit, slices: tuple[Slice, ...], forge: Forge) -> str:
    """Return what came of it. May be repeated: issues and comment are found again. Raises the forge's
    errors.
    """
    if not isinstance(forge, Backlog):
        return "this forge cannot make issues"
    stories = [story_of(decision.number, number, each) for number, each in enumerate(slices, start=1)]
    made = [number for _, number, _ in import_backlog(forge, decision.repo, stories, (), dry_run=False)]
    marker = f"<!-- scenarist:split:{decision.number} -->"
    named = ", ".join(f"#{number}" for number in made)
    text = (
        f"{marker}\nSplit as {inline(decision.by)} asked: {named}. Set the label on those that should be "
        "implemented; begin with the first ones if others build on them."
    )
    forge.upsert_comment(decision.repo, decision.number, marker, text, None)
    return f"split into {', '.join(map(str, made))}"


def story_of(issue: int, number: int, each: Slice) -> BacklogStory:
    """Return a proposed story, which a model wrote, as the `number`th part of an issue."""
    return BacklogStory(
        id=f"issue-{issue}-{number}",
        title=one_line(each.title, 250),
        text=f"Part of #{issue}.",
        narrative=value(each.narrative),
        acceptance_criteria=tuple(value(one) for one in each.acceptance_criteria),
    )
