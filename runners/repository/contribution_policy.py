"""Find out whether a repository refuses changes made by unsupervised tools."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from runners.repository.house_rules import GUIDES, TEMPLATES
from runners.repository.snapshot import Snapshot

_POLICIES = tuple(
    f"{folder}{name}{suffix}"
    for folder in ("", ".github/", ".gitlab/", "docs/", "doc/")
    for name in ("AI_POLICY", "AI-POLICY", "AIPOLICY", "AI_CONTRIBUTIONS", "LLM_POLICY", "AI")
    for suffix in (".md", ".rst", ".txt", "")
)
_MAX_QUOTE = 200
_TOOLS = re.compile(
    r"\bA\.?I\b|\bLLMs?\b|\blanguage models?\b|\bgenerative\b|\b(?:Chat)?GPT\b|\bcopilot\b"
    r"|\bmachine[- ]generated\b|\bvibe[- ]cod|\b(?:autonomous|unsupervised|unattended|automated|coding|bot)\b"
    r"[- ](?:\w+ )?(?:agents?|tools?|bots?|accounts?)\b",
    re.I,
)
_REFUSES = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\bcannot|\bno longer)\s+(?:\w+\s+){0,3}?"
    r"(?:accept|allow|welcome|permit|merge|want|submit|use|used|open|contribute|take|written|generated|made"
    r"|created)|\b(?:forbidden|prohibited|banned|disallowed|unwelcome)\b|\bforbids?\b|\bprohibits?\b|\bban\b"
    r"|\b(?:will|may) be (?:closed|rejected)\b|\b(?:reject|close)s? (?:all|any)\b"
    r"|\bno (?:A\.?I\b|LLM|generative|machine|autonomous|unsupervised|unattended)",
    re.I,
)
# Telling what was used is what every pull request of a run does.
_TELLS = re.compile(r"disclos|declar|acknowledg|\blabel|\bmention|\bstate\b|\bmark(?:ed)?\b|attribut", re.I)
# What a run does not write.
_ELSEWHERE = re.compile(
    r"\b(?:issues?|reports?|comments?|translations?|reviews?|questions?|discussions?)\b", re.I
)
_CHANGES = re.compile(
    r"\b(?:code|contributions?|contribute|pull requests?|merge requests?|PRs?|patch(?:es)?|commits?"
    r"|changes?|submissions?|content)\b",
    re.I,
)
_POLICY_ITSELF = re.compile(r"\b(?:AI|LLM)[-_ ](?:policy|guidelines|rules)\b", re.I)


class Forbidden(NamedTuple):
    """The sentence that forbids such changes, with its place; `line` counts from 1."""

    path: str
    line: int
    sentence: str


def forbidden(snapshot: Snapshot) -> Forbidden | None:
    """Return the first sentence of a policy, guide or template for pull requests that forbids such
    changes.
    """
    for names in (_POLICIES, GUIDES, TEMPLATES):
        path = snapshot.first(names)
        for line, sentence in _sentences(snapshot.text(path)) if path else ():
            if _forbids(sentence):
                return Forbidden(path, line, sentence[:_MAX_QUOTE])
    return None


def _forbids(sentence: str) -> bool:
    said = _POLICY_ITSELF.sub("", sentence)
    if not (_TOOLS.search(said) and _REFUSES.search(said)) or _TELLS.search(said):
        return False
    return not _ELSEWHERE.search(said) or bool(_CHANGES.search(said))


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, sentence) of a document; each heading and each item of a list is a sentence."""
    plain = re.sub(r"<!--|-->", "    ", text)
    for found in re.finditer(r"(?:[^\n]+(?:\n(?![ \t]*(?:[-*+#]|\d+[.)]|\n))|$)?)+", plain):
        start = 0
        for end in [*re.finditer(r"[.!?](?=\s)", found[0]), None]:
            part = found[0][start : end.end() if end else len(found[0])]
            words = " ".join(re.sub(r"^[\s>#*+-]+(?:\[[ xX]?\])?", "", part).split())
            if words:
                lead = len(part) - len(part.lstrip())
                yield plain.count("\n", 0, found.start() + start + lead) + 1, words
            start = end.end() if end else 0
