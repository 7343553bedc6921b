"""Find the calls in a text, in the format of whichever family of models it has; calls that are only shown
do not count.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby

from runners.models.text_calls.found import MAX_CALLS, FoundCall
from runners.models.text_calls.plain import bare, begins, react
from runners.models.text_calls.shown import is_in_a_sentence, is_shown, masked
from runners.models.text_calls.tags import function_tags, invoke_tags, tool_call_tags
from runners.models.text_calls.tokens import bracket_tags, special_tokens

CallFinder = Callable[[str], Iterator[FoundCall]]

# Each family with what its calls cannot do without. MiniMax-M3 comes before Hermes, whose tag it has inside.
_FAMILIES: tuple[tuple[CallFinder, tuple[str, ...]], ...] = (
    (invoke_tags, ("]<]minimax[>[<invoke name=",)),
    (tool_call_tags, ("<tool_call>",)),
    (function_tags, ("<function=",)),
    (invoke_tags, ("invoke name=",)),
    (bracket_tags, ("[TOOL_CALL]",)),
    (special_tokens, ("[TOOL_CALLS]", "<|", "<｜", "<tool_call|>", "to=")),
    (react, ("Action:",)),
)


def calls_in(text: str, is_tool: Callable[[str], bool]) -> Iterator[FoundCall]:
    """Yield the calls of a text in the format of the first family that has any.

    `is_tool` says whether there is a tool of a name. Without a mark, only a call of such a tool counts.
    """
    for family, marks in _FAMILIES:
        found = list(_said(text, family, marks))
        if found:
            yield from found
            return
    yield from (each for each in bare(text, is_tool) if not is_shown(text, each.start))


def _said(text: str, family: CallFinder, marks: tuple[str, ...]) -> Iterator[FoundCall]:
    """Yield the calls that are not thought, quoted or shown.

    What is code in a text is looked at anew behind each call, whose arguments may hold anything.
    """
    offset = 0
    for _ in range(MAX_CALLS):
        rest = text[offset:]
        if not any(mark in rest for mark in marks):
            return
        visible = masked(rest, fences=True)
        for start, block in groupby(family(rest), lambda each: each.start):
            calls = list(block)
            said = begins(visible, start) == begins(rest, start) and not is_shown(visible, start)
            if said and not is_in_a_sentence(rest, begins(rest, start), calls[0].end):
                break
        else:
            return
        yield from (replace(each, start=each.start + offset) for each in calls)
        if family is react:
            return  # the rest imagines the result of the first
        offset += max(calls[0].end, 1)
