"""The commands that people write in comments: what there is, and how a comment is read. Pure."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from gherkin.issue.markdown import split
from gherkin.values import Frozen

CommandName = Literal[
    "help",
    "implement",
    "spec",
    "approve",
    "revise",
    "retry",
    "pause",
    "resume",
    "cancel",
    "status",
    "explain",
    "budget",
    "model",
    "kind",
    "split",
    "rebase",
    "ready",
]
COMMAND_NAMES: tuple[CommandName, ...] = get_args(CommandName)
PREFIX = "/agent"


class Meaning(NamedTuple):
    """One command as help and documentation show it: `argument`, where it is heard, and what it does."""

    argument: str
    where: Literal["issues", "pull requests", "both"]
    does: str


COMMANDS: Mapping[CommandName, Meaning] = {
    "help": Meaning("", "both", "lists the commands"),
    "implement": Meaning("", "issues", "starts a run, as the label does; approves scenarios that wait"),
    "spec": Meaning("", "issues", "starts a run whose scenarios wait for an approval"),
    "approve": Meaning(
        "[scenarios]", "both", "approves the scenarios that wait, or those in a code block below it"
    ),
    "revise": Meaning(
        "TEXT", "both", "on an issue, has the waiting scenarios written again; on a pull request, revises it"
    ),
    "retry": Meaning("[PHASE]", "both", "continues a run that ended without a result, starting at a phase"),
    "pause": Meaning("", "both", "stops the run until `/agent resume`"),
    "resume": Meaning("", "both", "continues a paused run"),
    "cancel": Meaning("", "both", "ends the run"),
    "status": Meaning("", "both", "says how far the run is"),
    "explain": Meaning("", "both", "says what was tried, why it failed and what it cost"),
    "budget": Meaning("TURNS", "both", "sets how many turns of a model the run may take in all"),
    "model": Meaning(
        "NAME", "both", "chooses the runtime, from the operator's models file, that writes the code"
    ),
    "kind": Meaning(
        "KIND", "issues", "treats the issue as a feature, bug, refactoring or chore, before code is written"
    ),
    "split": Meaning("", "issues", "creates an issue for each proposed story"),
    "rebase": Meaning(
        "", "pull requests", "brings the branch up to date with its base and verifies it again"
    ),
    "ready": Meaning("", "pull requests", "marks a draft as ready for review"),
}


class CommentCommand(Frozen):
    """A command of a comment; `name` may be one that does not exist. `argument` is the text behind it."""

    name: str
    argument: str = ""

    @property
    def known(self) -> CommandName | None:
        """Its name, if there is such a command."""
        return next((each for each in COMMAND_NAMES if each == self.name), None)


def parse(comment: str, login: str = "") -> tuple[CommentCommand, ...]:
    """Return the commands of a comment, in their order.

    A command begins a line with ``/agent NAME``, or with a mention of the bot (`login`) and the name of a
    command that exists, unless further words make it a sentence. Quotes, code blocks and HTML comments are no
    commands. What follows up to the next one is the argument, code blocks included.
    """
    return tuple(command for _, command in _found(comment, login))


def apart(review: str, login: str = "") -> tuple[str, tuple[CommentCommand, ...]]:
    """Split what somebody wrote in a review into the remark and its commands, in their order.

    The remark is what stands before the first command, and what `revise` is followed by: a review asks for a
    revision in any case.
    """
    found = _found(review, login)
    first = found[0][0] if found else len(review)
    told = [command.argument for _, command in found if command.name == "revise"]
    before = "\n".join(_lines(review)[:first])
    remark = "\n".join(filter(None, [before, *told])).strip()
    return remark, tuple(command for _, command in found if command.name != "revise")


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _found(comment: str, login: str) -> list[tuple[int, CommentCommand]]:
    """Return the commands of a comment, each with the number of its line."""
    lines = _lines(comment)
    text = "\n".join(lines)
    mention = _mention(login)
    found: list[tuple[int, str, str]] = []
    for at, line in enumerate(split(text)[0].split("\n")):
        # Four spaces or a tab before it make a code block, ">" a quote.
        match = _SLASH.match(line)
        if match is None and mention is not None:
            match = mention.match(line)
            if match is not None and not _is_meant(match["name"].lower(), match["rest"]):
                match = None
        if match is not None:
            # The prefix alone asks for help.
            found.append((at, (match["name"] or "help").lower(), (match["rest"] or "").strip()))
    ends = [*(at for at, _, _ in found[1:]), len(lines)]
    return [
        (at, CommentCommand(name=name, argument="\n".join([first, *lines[at + 1 : end]]).strip()))
        for (at, name, first), end in zip(found, ends, strict=False)
    ]


def added(before: Sequence[CommentCommand], now: Sequence[CommentCommand]) -> tuple[CommentCommand, ...]:
    """Return the commands of an edited comment that its former text did not have.

    What stands behind a command without an argument is no part of it.
    """
    known = {_meant(each) for each in before}
    return tuple(each for each in now if _meant(each) not in known)


def _meant(command: CommentCommand) -> tuple[str, str]:
    takes = command.known is not None and bool(COMMANDS[command.known].argument)
    return command.name, command.argument if takes else ""


def mentions(comment: str, login: str) -> bool:
    """Return whether a comment mentions the bot outside of quotes, code and HTML comments."""
    names = _names(login)
    prose = "\n".join(line for line in split(comment)[0].split("\n") if not line.lstrip().startswith(">"))
    prose = re.sub(r"`[^`\n]*`", "", prose)
    return bool(names) and re.search(rf"(?<![\w/.-])@(?:{names})(?![\w-])", prose, re.IGNORECASE) is not None


def nearest(name: str) -> CommandName | None:
    """Return the command that somebody who wrote `name` most likely meant."""
    close = difflib.get_close_matches(name, COMMAND_NAMES, n=1, cutoff=0.7)
    return next((each for each in COMMAND_NAMES if close and each == close[0]), None)


_SLASH = re.compile(rf" {{0,3}}{PREFIX}(?:[ \t]+(?P<name>[A-Za-z]+)\b(?P<rest>.*)|[ \t]*)$")


# Commands that need words behind them. Behind the others, words that are not among these make a sentence.
_TAKE_TEXT = ("revise", "retry", "budget", "model", "kind")
_POLITE = re.compile(r"(?:[\s.!,]|\b(?:please|now|this|it|thanks|thank you)\b)*", re.IGNORECASE)


def _is_meant(name: str, rest: str) -> bool:
    """Return whether `name` and the `rest` of its line, behind a mention, are a command and no sentence.

    A single word that is nearly a command counts as one, so that its author is asked what they meant.
    """
    if name in COMMAND_NAMES:
        return name in _TAKE_TEXT or _POLITE.fullmatch(rest) is not None
    return not rest.strip() and nearest(name) is not None


def _names(login: str) -> str:
    short = login.removesuffix("[bot]")
    return "|".join(re.escape(each) for each in dict.fromkeys([login, short]) if each)


def _mention(login: str) -> re.Pattern[str] | None:
    names = _names(login)
    if not names:
        return None
    return re.compile(rf" {{0,3}}@(?:{names})[,:]?[ \t]+(?P<name>[A-Za-z]+)\b(?P<rest>.*)$", re.IGNORECASE)
