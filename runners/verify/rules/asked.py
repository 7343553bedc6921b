"""Find out whether people asked for a change of a test or of its configuration, in a sentence of their
own.
"""

import re
from collections.abc import Iterator

_VERBS = (
    r"add|adapt|adjust|allow|change|clean\s+up|configure|convert|correct|create|cut|delete|deselect|disable|"
    r"drop|edit|enable|extend|extract|fix|get\s+rid\s+of|include|increase|introduce|loosen|lower|make|mark|merge|"
    r"migrate|modify|move|must|needs?|port|put|raise|reduce|refactor|register|relax|remove|rename|"
    r"reorgani[sz]e|replace|rewrite|set|should|shorten|simplify|"
    r"skip|split|switch|turn|update|upgrade|use|widen|write"
)
_ASKS = re.compile(rf"\b(?:{_VERBS})\b", re.I)
# A sentence that tells what happens, or what is to stay, asks for no change.
_TELLS = re.compile(
    r"\b(?:not|never|don't|doesn't|without|leave|keep|stays?|untouched|unchanged|still|fail\w*|"
    r"pass(?:es|ed|ing)?|crash\w*|error\w*|traceback|exception|raised|green|red|breaks?|broken|broke|reports?|"
    r"reported|seen|happens?)\b",
    re.I,
)
_FENCED = re.compile(r"^\s*(```+|~~~+).*?(?:^\s*\1\s*$|\Z)", re.S | re.M)
_OUTPUT = re.compile(
    r"^\s*(?:>|File \"|E\s{2,}|FAILED |ERROR |at \S+[:(]\d|Traceback|\S+:\d+:|_{5,}|={5,})|^(?: {4}|\t)\S"
)
_SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+|\n\s*\n|\n\s*(?=[-*+•]|\d+[.)])")


def asked_for(text: str, *names: str) -> bool:
    """Return whether a sentence of `text` asks to change one of `names` (a path, a file, a test).

    Quotes, blocks of code and a program's output do not count.
    """
    wanted = [re.compile(rf"(?<![\w./-]){re.escape(name)}(?![\w-])") for name in names if name]
    return any(
        _ASKS.search(_without_names(sentence, wanted))
        and not _TELLS.search(_without_names(sentence, wanted))
        and any(name.search(sentence) for name in wanted)
        for sentence in _sentences(text)
    )


def _without_names(sentence: str, names: list[re.Pattern[str]]) -> str:
    for name in names:
        sentence = name.sub(" ", sentence)
    return sentence


def _sentences(text: str) -> Iterator[str]:
    prose = "\n".join(line for line in _FENCED.sub("\n", text).splitlines() if not _OUTPUT.match(line))
    yield from _SENTENCE_END.split(prose)
