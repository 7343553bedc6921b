"""Write commit messages and pull request titles in the style of a repository's log."""

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from gherkin.issue.kinds import Kind
from runners.policy.plaintext import defuse, one_line

# https://git-scm.com/docs/git-commit#_discussion asks for fewer than 50 characters; most tools show 72.
MAX_SUBJECT = 72
_WIDTH = 72
# https://www.conventionalcommits.org
_TYPED = re.compile(
    r"(?:build|chore|ci|docs|feat|fix|perf|refactor|revert|style|test)(?:\([^)]{1,40}\))?!?:\s+",
    re.IGNORECASE,
)
_TYPES: Mapping[Kind, str] = {"feature": "feat", "bug": "fix", "refactoring": "refactor", "chore": "docs"}
# A prefix with an issue's number in it: "Fixed #12 -- ", "gh-12: ", "[#12] ".
_NUMBERED = re.compile(r"\W{0,2}(?:[A-Za-z]{1,12} )?(?:#|gh-)(\d+)[\]):]*\s*(?:--|[-:])?\s*", re.IGNORECASE)
# Labels before an issue's title, which say nothing in a log: "[Bug]: ", "Feature request: ".
_LABEL = re.compile(
    r"(?:\[[^\]]{1,30}\]\s*:?|(?:bug(?: report)?|feature(?: request)?|enhancement|task|docs?)\s*:)\s*",
    re.IGNORECASE,
)
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,2}[.)])[ \t]+")
_HALF = 0.5
_MIN_SUBJECTS = 4  # the number of subjects that it takes to find a style


def habitual(text: str, kind: Kind, number: int, log: Sequence[str], limit: int = 200) -> str:
    """Return the stranger's `text` as a title in the style of the subjects in `log`.

    The title takes over their prefix (the type of a conventional commit, or the number of an issue), the case
    of their first letter, and whether they end in a full stop. `number` is the issue, 0 if there is none;
    `limit` is the length in characters.
    """
    plain = " ".join(text.split())
    plain = _LABEL.sub("", plain, count=1) if _LABEL.match(plain) else plain
    subjects = _written_by_people(log)
    prefix = _prefix_of(log, kind, number)
    if len(subjects) >= _MIN_SUBJECTS:
        rests = [_without_prefix(line) for line in subjects]
        plain = _without_prefix(plain) or plain
        if _true_of_most(rests, lambda rest: rest[:1].islower()):
            plain = plain[:1].lower() + plain[1:] if not plain[1:2].isupper() else plain
        elif _true_of_most(rests, lambda rest: rest[:1].isupper()) and plain.partition(" ")[0].isalpha():
            plain = plain[:1].upper() + plain[1:]
        plain = plain.rstrip(".")
        plain += "." if _true_of_most(rests, lambda rest: rest.endswith(".")) else ""
    return prefix + shortened(plain, limit - len(prefix))


def commit_subject(verb: str, text: str, kind: Kind, number: int, log: Sequence[str]) -> str:
    """Return the subject of a commit that does `verb` ("Implement") for the issue with the title `text`.

    It has the same prefix as the subjects in `log`. If they have none, its prefix is the verb and the issue's
    `number`, if it is not 0.
    """
    prefix = _prefix_of(log, kind, number)
    if not prefix:
        start = f"{verb} #{number}: " if number else f"{verb}: "
        return start + shortened(text, MAX_SUBJECT - len(start))
    said = "" if verb == "Implement" else f"{verb.lower()} "
    title = habitual(text, kind, number, log)[len(prefix) :]
    if verb == "Specify" and _TYPED.match(prefix):
        prefix = "test: "
    return f"{prefix}{said}{shortened(title, MAX_SUBJECT - len(prefix) - len(said))}"


def shortened(text: str, limit: int = MAX_SUBJECT) -> str:
    """Return a stranger's `text` defused, on one line of at most `limit` characters.

    It is cut between words where possible.
    """
    flat = one_line(text, 10 * limit)
    if len(flat) <= limit:
        return flat
    cut = flat[: limit - 1].rpartition(" ")[0]
    return f"{cut if len(cut) > limit // 2 else flat[: limit - 1]}…"


def message(subject: str, body: str, trailers: Mapping[str, str]) -> str:
    """Return a commit message: `subject`, the stranger's `body` wrapped and defused, and `trailers`."""
    parts = [
        subject,
        *(_wrapped(part) for part in re.split(r"\n\s*\n", defuse(body).strip()) if part.strip()),
    ]
    return "\n\n".join([*parts, "\n".join(f"{name}: {value}" for name, value in trailers.items())]) + "\n"


def _written_by_people(log: Sequence[str]) -> list[str]:
    """Return the subjects that people wrote, without those of merges and reverts."""
    return [line for line in log if line and not line.startswith(("Merge ", "Revert "))]


def _prefix_of(log: Sequence[str], kind: Kind, number: int) -> str:
    """Return the prefix of more than half of the subjects for this kind and issue, or an empty string."""
    subjects = _written_by_people(log)
    if len(subjects) < _MIN_SUBJECTS:
        return ""
    if _true_of_most(subjects, lambda line: _TYPED.match(line) is not None):
        return f"{_TYPES[kind]}: "
    if not number:
        return ""
    found = [match for line in subjects if (match := _NUMBERED.match(line))]
    shapes = Counter(re.sub(r"\d+", "{}", match.group()) for match in found)
    shape, count = shapes.most_common(1)[0] if shapes else ("", 0)
    return shape.format(number) if count > _HALF * len(subjects) else ""


def _without_prefix(line: str) -> str:
    found = _TYPED.match(line) or _NUMBERED.match(line)
    return line[found.end() :] if found else line


def _true_of_most(lines: Sequence[str], holds: Callable[[str], bool]) -> bool:
    """Return whether `holds` is true of more than half of the `lines`."""
    return sum(holds(line) for line in lines) > _HALF * len(lines)


def _wrapped(paragraph: str) -> str:
    """Wrap a paragraph or a list at 72 characters; longer words are not split."""
    lines: list[str] = []
    for line in paragraph.split("\n"):
        if lines and not _ITEM.match(line):
            lines[-1] = f"{lines[-1]} {line.strip()}"
        else:
            lines.append(line.rstrip())
    return "\n".join(
        textwrap.fill(
            line,
            _WIDTH,
            subsequent_indent=" " * len(found.group()) if (found := _ITEM.match(line)) else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines
    )
