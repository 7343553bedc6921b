"""Find passages of a repository's documents by their words, with an index in memory (SQLite's FTS5).

https://sqlite.org/fts5.html
"""

import re
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from runners.git.command import git, list_files
from runners.verify.rules.purposes import purpose_of

_SUFFIXES = (".md", ".markdown", ".rst", ".adoc", ".txt")
_MAX_DOCUMENTS = 500
_MAX_DOCUMENT = 400_000  # bytes
_PASSAGE = 800  # characters; a longer paragraph is a passage of its own, cut at four times as many
_FENCE = re.compile(r"\s*(```|~~~)")
_HEADING = re.compile(r"#{1,6}\s+(?P<text>.+?)\s*#*")
_UNDERLINE = re.compile(r"([=\-~^*+\"])\1{2,}\s*")
_WORD = re.compile(r"\w+")
# Words of a claim that a passage must hold: numbers, and names as they stand in code.
_EXACT = re.compile(r"`[^`]+`|\d+(?:\.\d+)*|\b\w*(?:_\w+|[a-z][A-Z]\w*)\b")
_COMMON = re.compile(
    "(?:an?|and|are|as|at|be|been|but|by|can|do|does|for|from|ha[sd]|have|how|if|in|into|is|its?|may|more|must|no"
    "|not|of|on|one|only|or|other|our|should|so|that|the|their|them|then|there|these|they|this|to|was|were|what"
    "|when|where|which|who|will|with|without|you|your)"
)
_SHARE = 2 / 3  # of a claim's other words


class Passage(NamedTuple):
    """A part of a document; `line` counts from 1, and `heading` is the heading above it."""

    path: str
    line: int
    heading: str
    text: str

    def __str__(self) -> str:
        under = f" ({self.heading})" if self.heading else ""
        return f"{self.path}:{self.line}{under}\n{self.text}"


class ClaimEvidence(NamedTuple):
    """What documents say about a claim: the nearest passage, and the words of the claim that it lacks.

    `found` is whether the passage has every number and name of the claim and two thirds of its other words.
    """

    passage: Passage | None
    lacking: tuple[str, ...]
    found: bool


class PassageIndex:
    """The index of the passages of `documents` (path -> text). Several threads can use it."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._found = [each for path, text in documents.items() for each in passages_in(path, text)]
        self._rows = sqlite3.connect(":memory:", check_same_thread=False)
        self._rows.execute(
            "CREATE VIRTUAL TABLE passages USING fts5(heading, text, tokenize = 'porter unicode61')"
        )
        self._rows.executemany(
            "INSERT INTO passages(rowid, heading, text) VALUES (?, ?, ?)",
            ((number, each.heading, each.text) for number, each in enumerate(self._found)),
        )

    def search(self, query: str, most: int) -> list[Passage]:
        """Return at most `most` passages that contain words of `query`, the best first."""
        words = _words(query) or list(dict.fromkeys(_WORD.findall(query.lower())))
        return [self._found[number] for number in self._matching(words, most)]

    def check(self, claim: str) -> ClaimEvidence:
        """Return the passage whose words match those of `claim` best."""
        exact = list(dict.fromkeys(each.strip("`") for each in _EXACT.findall(claim)))
        lowered = {each.lower() for each in exact}
        words = [word for word in _words(claim) if word not in lowered]
        having = {word: set(self._matching([word], len(self._found))) for word in words}
        best: ClaimEvidence | None = None
        for number in self._matching([*words, *_words(" ".join(exact))], 50):
            passage = self._found[number]
            lacking = [each for each in exact if not _holds(passage, each)]
            missing = [word for word in words if number not in having[word]]
            share = 1 - len(missing) / max(1, len(words))
            told = tuple(dict.fromkeys([*lacking, *missing]))
            evidence = ClaimEvidence(passage, told, not lacking and share >= _SHARE)
            if evidence.found:
                return evidence
            if best is None or len(told) < len(best.lacking):
                best = evidence
        return best or ClaimEvidence(None, (*exact, *words), False)

    def _matching(self, words: Iterable[str], most: int) -> list[int]:
        any_of = " OR ".join(f'"{word}"' for word in words)
        if not any_of:
            return []
        query = "SELECT rowid FROM passages WHERE passages MATCH ? ORDER BY bm25(passages, 2.0, 1.0) LIMIT ?"
        with self._lock:
            return [row[0] for row in self._rows.execute(query, (any_of, most))]


class Documents:
    """The documents of the commit `commit` of the repository in `git_dir`; they are read when first
    needed.
    """

    def __init__(self, git_dir: Path, commit: str) -> None:
        self._git_dir = git_dir
        self._commit = commit
        self._lock = threading.Lock()

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Return the paths of all documents: Markdown anywhere, and other text in folders of documents."""
        found = [path for path in list_files(self._git_dir, self._commit) if _is_document(path)]
        return tuple(found[:_MAX_DOCUMENTS])

    @cached_property
    def _index(self) -> PassageIndex:
        return PassageIndex(_texts(self._git_dir, self._commit, self.paths))

    @property
    def index(self) -> PassageIndex:
        """Return the index of their passages."""
        with self._lock:
            return self._index


def passages_in(path: str, text: str) -> list[Passage]:
    """Divide a document into passages: short paragraphs under one heading are joined."""
    found: list[Passage] = []
    heading, start, lines, fenced = "", 0, list[str](), ""
    given = text.splitlines()

    def close() -> None:
        body = "\n".join(lines).strip()
        if body:
            found.append(Passage(path, start, heading, body[: 4 * _PASSAGE]))
        lines.clear()

    for number, line in enumerate(given, 1):
        if fence := _FENCE.match(line):
            fenced = "" if fenced == fence[1] else fenced or fence[1]
        following = given[number] if number < len(given) else ""
        titled = _HEADING.fullmatch(line)
        alone = number == 1 or not given[number - 2].strip()
        underlined = alone and bool(line.strip()) and bool(_UNDERLINE.fullmatch(following))
        if not fenced and (titled or underlined):
            close()
            heading = titled["text"] if titled else line.strip()
            continue
        if not fenced and not lines and _UNDERLINE.fullmatch(line):
            continue  # the line below a heading
        if not line.strip() and not fenced and sum(map(len, lines)) > _PASSAGE:
            close()
            continue
        if line.strip() and not lines:
            start = number
        if lines or line.strip():
            lines.append(line.rstrip())
    close()
    return found


def _words(text: str) -> list[str]:
    """Return the words of a text that carry its meaning, each once."""
    return [word for word in dict.fromkeys(_WORD.findall(text.lower())) if not _COMMON.fullmatch(word)]


def _holds(passage: Passage, exact: str) -> bool:
    held = f"{passage.heading}\n{passage.text}".lower()
    return re.search(rf"(?<![\w.]){re.escape(exact.lower())}(?![\w]|\.\d)", held) is not None


def _is_document(path: str) -> bool:
    place = PurePosixPath(path)
    if place.suffix.lower() not in _SUFFIXES or any(part.startswith(".") for part in place.parts):
        return False
    return place.suffix.lower() in (".md", ".markdown") or purpose_of(path) == "documentation"


def _texts(git_dir: Path, commit: str, paths: Iterable[str]) -> dict[str, str]:
    """Read files of a commit with one process; files that are too large are left out."""
    wanted = [path for path in paths if "\n" not in path]
    asked = "".join(f"{commit}:{path}\n" for path in wanted).encode(errors="surrogateescape")
    said = git("cat-file", "--batch", git_dir=git_dir, stdin=asked, strip=False)
    data = said.encode(errors="surrogateescape")
    found, at = {}, 0
    for path in wanted:
        end = data.index(b"\n", at)
        header = data[at:end].split(b" ")
        if header[-1] == b"missing":
            at = end + 1
            continue
        size = int(header[-1])
        if size <= _MAX_DOCUMENT:
            found[path] = data[end + 1 : end + 1 + size].decode(errors="replace")
        at = end + 1 + size + 1
    return found
