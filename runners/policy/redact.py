"""Taking secrets out of what is stored, shown or sent to a model: those known by value, and what looks like
one."""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_MIN_SECRET = 6
_BOUND = r"(?<![A-Za-z0-9_-])"
# Only shapes that are hardly ever anything else: what is taken out of a file cannot be edited any more.
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
    """Whether a private key or a token of a well-known maker stands in `text`."""
    return _PATTERNS.search(text) is not None or next(_private_keys(text), None) is not None


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    """Where private keys in PEM form begin and end in `text`.

    Each is the longest that fits between a beginning and an end of its kind. It takes linear time: a
    beginning is looked at twice at most, however many there are without an end.
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
        if end > at:  # one kind of key may stand inside of another
            kept += [text[at:begin], GONE]
            at = end
    return "".join([*kept, text[at:]]) if kept else text


@dataclass(frozen=True)
class Redactor:
    """Takes out `values` (secrets this process holds.

    Short ones are left alone) and what looks like a secret.
    """

    values: tuple[str, ...] = ()

    def known(self, text: str) -> str:
        """`text` without the values."""
        for value in self.values:
            if len(value) >= _MIN_SECRET:
                text = text.replace(value, GONE)
        return text

    def text(self, text: str) -> str:
        """`text` without the values, private keys and tokens of well-known makers."""
        return _PATTERNS.sub(GONE, _without_keys(self.known(text)))

    def audit(self, text: str) -> str:
        """`text` (JSON, or any other) also without passwords in URLs and behind names like `password=`.

        Not for what is edited later on.
        """
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return _PASSWORD.sub(lambda found: (found["head"] or found["name"]) + GONE, self.text(text))
        return json.dumps(self.value(value), ensure_ascii=False)

    def value(self, value: Any) -> Any:
        """A JSON value without secrets: what `audit` does to its texts, and nothing under names like
        `password`."""
        if isinstance(value, dict):
            return {
                key: GONE if isinstance(each, str) and _NAME.search(key) else self.value(each)
                for key, each in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.value(each) for each in value]
        if not isinstance(value, str):
            return value
        return _PASSWORD.sub(lambda found: (found["head"] or found["name"]) + GONE, self.text(value))


def redactor(values: Iterable[str | None]) -> Redactor:
    """A redactor for those values that are set; longer ones first, so that none hides another."""
    return Redactor(tuple(sorted({v for v in values if v}, key=len, reverse=True)))
