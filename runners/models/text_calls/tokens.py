"""Calls that begin with a special token.

Models: Mistral, Llama, DeepSeek V3, Kimi, gpt-oss, Granite, Phi, Gemma 4, MiniMax. Their chat templates show
the formats; that of gpt-oss is described at https://cookbook.openai.com/articles/openai-harmony.
"""

import re
from collections.abc import Iterator

from runners.models.text_calls.found import MAX_CALLS, FoundCall
from runners.models.text_calls.json_calls import lenient, objects, shaped
from runners.models.text_calls.lenient import ARROWS, GEMMA, JSON
from runners.models.text_calls.plain import pythonic

_SPECIAL = re.compile(
    r"(?P<mistral>\[TOOL_CALLS\]\s*(?P<m>[\w.-]{0,100})(?:\[CALL_ID\]\w{0,40})?(?:\[ARGS\])?)"
    r"|(?P<llama><\|python_tag\|>)"
    r"|(?P<deepseek><｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>)?"
    r"(?P<d>[^\n<{]{1,100})(?:<｜tool▁sep｜>)?\s*(?:```json)?)"
    r"|(?P<kimi><\|tool_call_begin\|>\s*(?P<k>[\w.:-]{1,100})\s*<\|tool_call_argument_begin\|>)"
    r"|(?P<harmony>(?:<\|channel\|>\s{0,9}(?:commentary|analysis)|<\|start\|>assistant|^)\s{0,9}"
    r"to=(?P<h>[\w.-]{1,100})(?:<\|channel\|>\s{0,9}(?:commentary|analysis))?\s{0,9}"
    r"(?:(?:<\|constrain\|>)?\s{0,9}[\w-]{1,20})?\s{0,9}<\|message\|>"
    # The same from a server that leaves special tokens out.
    r"|(?:^|assistant)(?:commentary|analysis) ?to=functions\."
    r"(?P<s>\w{1,100}?)\s{0,9}(?:json|code)?\s{0,9}(?=\{\"))"
    r"|(?P<gemma><\|tool_call>\s*call:\s*(?P<g>[\w.:-]{1,100})\s*(?=\{))"
    r"|(?P<granite><\|tool_call\|>|<tool_call\|>)",
    re.MULTILINE,
)
_NAME_GROUPS = ("m", "d", "k", "h", "s", "g")
_GEMMA_END = re.compile(r"\s*<tool_call\|>")


def special_tokens(text: str) -> Iterator[FoundCall]:
    """Yield the calls that begin with a special token, whatever stands before it."""
    at = 0
    for _ in range(MAX_CALLS):
        if (mark := _SPECIAL.search(text, at)) is None:
            return
        family = next(key for key, value in mark.groupdict().items() if value is not None and len(key) > 1)
        name = next((mark[key] for key in _NAME_GROUPS if mark[key]), "")
        at = mark.end()
        if family == "llama" and (python := pythonic(text, at)) is not None:
            yield from python
            return
        inner = lenient(text, at, GEMMA) if family == "gemma" else lenient(text, at)
        if inner is None:
            if name and family != "mistral":
                yield FoundCall(name, None, family, mark.start(), at, sure=family != "gemma")
            continue
        at = max(inner.end, at)
        if family == "gemma" and (closed := _GEMMA_END.match(text, at)) is not None:
            at = closed.end()
        sure, whole = not inner.guessed, not inner.truncated
        if name:
            yield FoundCall(name.strip(), inner.value, family, mark.start(), at, sure, whole)
        else:
            yield from shaped(inner.value, family, mark.start(), at, sure=sure, whole=whole)


_BRACKETS = re.compile(
    r"(?:^|(?<=</think>))[ \t]*\[TOOL_CALL\](?P<body>.*?)(?:\[/TOOL_CALL\]|(?=^[ \t]*\[TOOL_CALL\])|\Z)",
    re.DOTALL | re.MULTILINE,
)
_ARROW = re.compile(r"\s*\{\s*\w{1,20}\s*=>")


def bracket_tags(text: str) -> Iterator[FoundCall]:
    """Yield `[TOOL_CALL]` with JSON or with Perl's arrows: ``{tool => "x", args => {--key "value"}}``
    (MiniMax).
    """
    for block in _BRACKETS.finditer(text):
        dialect = ARROWS if _ARROW.match(block["body"]) else JSON
        yield from objects(block["body"], "brackets", block.start(), block.end(), dialect=dialect)
