"""What the bot answers to commands: one short comment each (Markdown)."""

from collections.abc import Sequence
from typing import Literal

from bot.comment_commands.parser import COMMANDS, PREFIX, CommandName, CommentCommand, nearest
from bot.comment_commands.rights import Rules, needed
from bot.log.events import PHASES_TO_RETRY, Control
from bot.report.escape import code, inline
from gherkin.values import Frozen
from runners.contract.budget import MAX_TURNS

_WHERE = {"issue": "issues", "pull": "pull requests"}
_HELP = f"`{PREFIX} help` lists all commands."
BEGUN = "A run begins. Its status comment says how far it is."
AT_WORK = f"A run is already active here; `{PREFIX} status` says how far it is."
APPROVED = "Approved. Next, the code is written."
WAITS = f"The run waits for an approval: `{PREFIX} approve` lets it continue."
KIND_LATE = (
    f"The scenarios of this run are written already, so its kind stays. `{PREFIX} cancel` ends the run; then "
    f"write `{PREFIX} implement` and `{PREFIX} kind` with the kind on two lines of one comment."
)
KIND = "The run treats the issue as that kind."
NO_RUN = "There is no run here that this command could apply to."
NO_SPLIT = "I have not proposed to split this issue."
READY = "This pull request is ready for review now."
_DONE: dict[Control, str] = {
    "pause": f"Paused. `{PREFIX} resume` continues the run.",
    "resume": "The run continues.",
    "cancel": "Cancelled.",
    "retry": "The run continues from there.",
    "respecify": "The scenarios are written again.",
}
_NOTHING: dict[Control, str] = {
    "pause": "No run is active here, so there is nothing to pause.",
    "resume": "No run is paused here.",
    "cancel": "No run is active here, so there is nothing to cancel.",
    "retry": "No run has ended without a result here, so there is nothing to retry.",
    "respecify": "No scenarios wait for an approval here.",
}


class CommandReply(Frozen):
    """A comment of the bot that answers one of somebody else's; `marker` finds it again."""

    marker: str
    text: str


def reply(comment: str, answers: Sequence[tuple[CommentCommand, str]], *, stranger: int = 0) -> CommandReply:
    """Return the comment that answers the commands of a comment, once, each with its text.

    `comment` tells comments and reviews apart. All refusals of a `stranger` are one comment.
    """
    first = answers[0][0].name[:20]
    number = f"stranger:{stranger}" if stranger else f"{comment}:{first}"
    marker = f"<!-- scenarist:reply:{number} -->"
    if len(answers) == 1:
        return CommandReply(marker=marker, text=f"{marker}\n{answers[0][1]}")
    parts = [f"{code(f'{PREFIX} {command.name}', 60)}: {text}" for command, text in answers]
    return CommandReply(marker=marker, text="\n\n".join([marker, *parts]))


def enough(pull: int) -> CommandReply:
    """Return the comment on a pull request that is revised too often."""
    marker = f"<!-- scenarist:enough:{pull} -->"
    return CommandReply(
        marker=marker,
        text=f"{marker}\nI revised this too often within an hour, so I do not act on the newest request. "
        f"To continue later, comment `{PREFIX} revise` and what to do.",
    )


def unknown(command: CommentCommand) -> str:
    """Return a sentence on a command that does not exist."""
    near = nearest(command.name)
    meant = f" Did you mean `{PREFIX} {near}`?" if near else ""
    return f"I do not know the command {code(command.name, 50)}.{meant} {_HELP}"


def forbidden(name: CommandName, login: str, rules: Rules) -> str:
    """Return a sentence on a command that somebody may not give."""
    return (
        f"Sorry, {inline(login, 100)}: `{PREFIX} {name}` is for {inline(needed(name, rules), 300)} in this "
        "repository."
    )


def label_refused(sender: int, login: str) -> CommandReply:
    """Return the comment on an issue that somebody without write access has labelled."""
    marker = f"<!-- scenarist:reply:label:{sender} -->"
    text = (
        f"Sorry, {inline(login, 100)}: a run starts only when somebody with write access in this repository "
        "sets the label. They can take it off and set it again."
    )
    return CommandReply(marker=marker, text=f"{marker}\n{text}")


def elsewhere(name: CommandName, kind: Literal["issue", "pull"]) -> str:
    """Return a sentence on a command that is given at the wrong place; empty at the right one."""
    where = COMMANDS[name].where
    return "" if where in ("both", _WHERE[kind]) else f"`{PREFIX} {name}` is for {where} only. {_HELP}"


def unknown_phase(phase: str) -> str:
    known = ", ".join(f"`{each}`" for each in PHASES_TO_RETRY)
    return f"There is no phase {code(phase, 50)} to retry from; there are {known}."


def wrong_budget() -> str:
    return f"Please say how many turns the run may take in all, from 1 to {MAX_TURNS}: `{PREFIX} budget 100`."


def wrong_model() -> str:
    return f"Please name one runtime of the operator's models file: `{PREFIX} model NAME`."


def wrong_kind() -> str:
    return f"A kind is one of `feature`, `bug`, `refactoring` and `chore`: `{PREFIX} kind bug`."


def nothing_begun(reason: str) -> str:
    """Return a sentence that says why no run is started."""
    return f"I do not start a run: {inline(reason)}."


def steered(control: Control, *, done: bool) -> str:
    return (_DONE if done else _NOTHING)[control]


def adjusted(turns: int | None, model: str) -> str:
    """Return a sentence on a run that continues with another budget or model."""
    what = f"may take {turns} turns in all" if turns is not None else f"is written by {code(model, 100)}"
    return (
        f"From its next round on, this run {what}. If it has ended, `{PREFIX} retry implement` continues it."
    )


def help_text(kind: Literal["issue", "pull"]) -> str:
    """Return the commands that can be given on an issue or a pull request, as a table."""
    rows = [
        f"| `{PREFIX} {name}{f' {each.argument}' if each.argument else ''}` | {each.does} |"
        for name, each in COMMANDS.items()
        if each.where in ("both", _WHERE[kind])
    ]
    what = "the newest run on this issue" if kind == "issue" else "this pull request and its newest run"
    return "\n".join(
        [
            f"These commands apply to {what}. Write one at the beginning of a line:",
            "",
            "| command | |",
            "|---|---|",
            *rows,
            "",
            "Any other comment by somebody with write access goes to the active run, or answers its "
            "question. A plain comment is enough.",
        ]
    )
