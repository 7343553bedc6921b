"""Remove secrets from text that is stored, shown or sent to a model.

Known secrets are found by value, others by their form.
"""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_MIN_SECRET = 6
_BOUND = r"(?<![A-Za-z0-9_-])"
# Only forms that are hardly ever anything but a secret: a model cannot edit text that was removed.
_PATTERNS = re.compile(
    "|".join(
        (
            _BOUND + r"gh[pousr]_[A-Za-z0-9_.-]{30,1000}",
            _BOUND + r"github_pat_[A-Za-z0-9_]{40,255}",
            _BOUND + r"gl(?:pat|cbt|rt|dt|soat|ptt|ft)-[A-Za-z0-9_.-]{20,255}",
            _BOUND + r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])",
            _BOUND + r"sk-(?:ant|proj|svcacct)-[A-Za-z0-9_-]{20,255}",
            _BOUND + r"xox[abeoprs]-[A-Za-z0-9-]{20,255}",
            _BOUND + r"(?:sk|rk)_live_[A-Za-z0-9]{20,255}",
            _BOUND + r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
            _BOUND + r"pypi-AgE[A-Za-z0-9_-]{50,1000}",
            _BOUND + r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])",
        )
    )
)
_KEY_MARK = re.compile(r"-----(?P<end>BEGIN|END) (?P<kind>[A-Z ]{0,30}PRIVATE KEY)-----")
_LONGEST_KEY = 20_000
_NAMES = r"(?:password|passwd|secret|api[_-]?key|access[_-]?token|authorization)"
_NAME = re.compile(_NAMES, re.IGNORECASE)
_PASSWORD = re.compile(
    r"(?P<head>[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"']{0,100}:)[^\s:/@\"']{1,200}(?=@)"
    r"|(?P<name>" + _NAMES + r"[\"']{0,2}\s{0,3}[:=]\s{0,3})"
    r"(?:\"[^\"\n]{1,500}\"|'[^'\n]{1,500}'|(?:Bearer |Basic )?[^\s\"',;]{1,500})",
    re.IGNORECASE,
)

GONE = "[redacted]"


def looks_secret(text: str) -> bool:
    """Return whether `text` holds a private key, or a token in the form of a well-known service."""
    return _PATTERNS.search(text) is not None or next(_private_keys(text), None) is not None


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each private key in PEM form in `text`.

    A key reaches from the first BEGIN line of its kind, at most 20,000 characters back, to the next END line
    of that kind. The time is linear: each BEGIN line is read at most twice, however many have no END line.
    """
    begins: dict[str, deque[re.Match[str]]] = {}
    for mark in _KEY_MARK.finditer(text):
        waiting = begins.setdefault(mark["kind"], deque())
        if mark["end"] == "BEGIN":
            waiting.append(mark)
            continue
        while waiting and mark.start() - waiting[0].end() > _LONGEST_KEY:
            waiting.popleft()
        if waiting:
            yield waiting[0].start(), mark.end()
            waiting.clear()


def _without_keys(text: str) -> str:
    kept, at = [], 0
    for begin, end in sorted(_private_keys(text)):
        if end > at:  # a key of one kind may lie within one of another kind
            kept += [text[at:begin], GONE]
            at = end
    return "".join([*kept, text[at:]]) if kept else text


@dataclass(frozen=True)
class Redactor:
    """Removes the secrets that this process holds (`values`, without short ones) and what looks like one."""

    values: tuple[str, ...] = ()

    def known(self, text: str) -> str:
        """Return `text` without the values."""
        for value in self.values:
            if len(value) >= _MIN_SECRET:
                text = text.replace(value, GONE)
        return text

    def text(self, text: str) -> str:
        """Return `text` without the values, private keys and tokens of well-known services."""
        return _PATTERNS.sub(GONE, _without_keys(self.known(text)))

    def audit(self, text: str) -> str:
        """Return `text` as the method `text` does, also without passwords in URLs and after `password=`.

        Not for text that a model edits later: it would write the replacement into the file.
        """
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self.line(text)
        return json.dumps(self.value(value), ensure_ascii=False)

    def line(self, text: str) -> str:
        """Return `text` as the method `text` does, also without passwords in URLs and after `password=`."""
        return _PASSWORD.sub(lambda found: (found["head"] or found["name"]) + GONE, self.text(text))

    def value(self, value: Any) -> Any:
        """Return a JSON value without secrets.

        `audit` is applied to its strings, and values under names like `password` are replaced.
        """
        if isinstance(value, dict):
            return {
                key: GONE if isinstance(each, str) and _NAME.search(key) else self.value(each)
                for key, each in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.value(each) for each in value]
        if not isinstance(value, str):
            return value
        return self.line(value)


def redactor(values: Iterable[str | None]) -> Redactor:
    """Return a redactor for the values that are set.

    Longer values come first, in case one is a part of another.
    """
    return Redactor(tuple(sorted({v for v in values if v}, key=len, reverse=True)))
