"""The project's own template for pull requests, filled in: by the model's words, by the verdict, or left to a
person."""

import re
from collections.abc import Mapping, Sequence

from bot.report.escape import inline, prose
from runners.repository.house_rules import changelog_like, headings_of
from runners.verify.rules.purposes import purpose_of
from runners.verify.verdict import Verdict

_BOX = re.compile(r"^[ \t]*[-*+][ \t]+\[[ xX]?\][ \t]+(.+?)[ \t]*$", re.M)
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_HEADING = re.compile(r"^#{1,6}[ \t]+([^\n]+?)[ \t#]*$", re.M)
_ISSUE = re.compile(r"\b(?:issues?|tickets?|related|fixes|closes|refer)", re.I)
_TESTS = re.compile(r"\btest", re.I)
_ABOUT = re.compile(r"\b(?:description|summary|what|why|changes?|motivation|purpose|overview)\b", re.I)
_DOCUMENTS = re.compile(r"\bdoc", re.I)
_LOG = re.compile(r"\bchange ?log|\brelease notes?|\bnews\b", re.I)
_MAX_BOXES = 20


def filled_form(
    template: str, form: Mapping[str, str], verdict: Verdict, changed: Sequence[str], issue: int, limit: int
) -> list[tuple[str, str]]:
    """Return (heading, Markdown) of each section of `template`.

    `form` is what the model wrote, by heading; `changed` are the files of the change; `issue` is the number
    of its issue (0: none). Boxes are ticked only for what the verdict or the change itself shows. `limit` is
    in characters.
    """
    plain = _COMMENT.sub("", template)
    bodies = dict(zip(headings_of(template), _HEADING.split(plain)[2::2], strict=False))
    shown = []
    for heading, body in bodies.items():
        boxes = _BOX.findall(body)[:_MAX_BOXES]
        if boxes:
            lines = [f"- [{'x' if _holds(box, verdict, changed) else ' '}] {inline(box)}" for box in boxes]
            answer = "\n".join(lines)
        elif form.get(heading):
            answer = prose(form[heading], limit)
        else:
            answer = _from_facts(heading, issue)
        shown.append((inline(heading, 100), answer))
    return shown


def _from_facts(heading: str, issue: int) -> str:
    if issue and _ISSUE.search(heading):
        return f"#{issue}"
    if _TESTS.search(heading):
        return "See the proof above."
    if _ABOUT.search(heading):
        return "See the top of this text."
    return "Left to a person: nothing that was run says it."


def _holds(box: str, verdict: Verdict, changed: Sequence[str]) -> bool:
    """Return whether the change shows that what a box of a checklist says is so."""
    if re.search(r"\b(?:I|my|we|manual|manually|local|locally|reviewed|read|agree)\b", box):
        return False
    if _LOG.search(box):
        return any(changelog_like(path) for path in changed)
    if _DOCUMENTS.search(box):
        return any(purpose_of(path) == "documentation" and not changelog_like(path) for path in changed)
    if _TESTS.search(box):
        added = any(purpose_of(path) in ("test", "feature") for path in changed)
        passing = re.search(r"\bpass|\bsuite|\brun\b|\bgreen\b", box, re.I)
        return verdict.green if passing else added
    return False
