"""Find the parts of a model's reply that are thought, quoted or shown as examples, and so are no calls."""

import re
from collections.abc import Iterator

# How thoughts begin, each with how it ends: tags, Mistral's, Gemma 4's and gpt-oss's tokens.
_THINKING = re.compile(
    r"<(?P<tag>(?:\w{1,20}:)?think|thinking|reasoning)>"
    r"|(?P<mistral>\[THINK\])|(?P<gemma><\|channel>thought\b)|(?P<harmony><\|channel\|>analysis<\|message\|>)"
)
_THOUGHT_ENDS = {"mistral": "[/THINK]", "gemma": "<channel|>", "harmony": "<|end|>"}
_FENCE = re.compile(r"^[ \t]*(?P<fence>`{3,}+|~{3,}+)[ \t]*+(?P<info>[\w+.-]*+)[^\n]*\n", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`[^`\n]+`(?!`)")
# DeepSeek's own format has a block of code inside.
_DEEPSEEK_FENCE = re.compile(
    r"(?P<before><｜tool▁sep｜>[^\n]{0,100}\n)(?P<fence>```json\n)|\n(?P<closing>```)(?=<｜tool▁call▁end｜>)"
)
_QUOTE = re.compile(r"^[ \t]*>[ \t].*$", re.MULTILINE)
# Words right before a call that is only shown.
_EXAMPLE = re.compile(
    r"\b(for example|for instance|e\.g\.|example|such as|like this|looks? like|would be|the format|syntax"
    r"|says?|contains?|contents?|quoted?|reads|injected|documentation|documented|literally|string)\b"
    r"[^\n.!?]{0,60}\s*\Z",
    re.IGNORECASE,
)


def masked(text: str, *, fences: bool) -> str:
    """Return `text` of the same length, with what is thought, quoted or shown as code made blank."""
    text = _without_thinking(text)
    if "</think>" in text:
        at = text.rindex("</think>") + len("</think>")
        text = " " * at + text[at:]
    text = _QUOTE.sub(_blank, text)
    text = _DEEPSEEK_FENCE.sub(
        lambda found: (found["before"] or "") + (" " * 7 + "\n" if found["fence"] else "\n   "), text
    )
    if fences:
        text = _without_fences(text)
    return _INLINE.sub(_blank, text)


def _without_thinking(text: str) -> str:
    parts, at = [], 0
    while (opened := _THINKING.search(text, at)) is not None:
        closing = f"</{opened['tag']}>" if opened["tag"] else _THOUGHT_ENDS[opened.lastgroup or ""]
        end = text.find(closing, opened.end())
        end = len(text) if end < 0 else end + len(closing)
        parts += [text[at : opened.start()], _blanked(text[opened.start() : end])]
        at = end
    return "".join([*parts, text[at:]])


def _blank(found: "re.Match[str]") -> str:
    return _blanked(found[0])


def _blanked(text: str) -> str:
    return "\n".join(" " * len(line) for line in text.split("\n"))


def _without_fences(text: str) -> str:
    parts, at = [], 0
    for start, _, _, end in fences_of(text):
        if start >= at:
            parts += [text[at:start], _blanked(text[start:end])]
            at = end
    return "".join([*parts, text[at:]])


def fences_of(text: str) -> Iterator[tuple[int, str, str, int]]:
    """Yield (start, info, content, end) of the code blocks; one that is not closed goes on to the end."""
    at = 0
    while (opened := _FENCE.search(text, at)) is not None:
        fence = opened["fence"]
        closing = re.compile(rf"^[ \t]*{fence[0]}{{{len(fence)},}}[ \t]*$", re.MULTILINE).search(
            text, opened.end()
        )
        end = closing.end() if closing else len(text)
        content = text[opened.end() : closing.start() if closing else len(text)]
        yield opened.start(), opened["info"].lower(), content, end
        at = end


# A call in the middle of a sentence, whose words go on behind it.
_SENTENCE_BEFORE = re.compile(r"[^\W_],?[ \t]{1,3}\Z")
_SENTENCE_AFTER = re.compile(r"(?:</?[^<>\n]{1,60}>){0,5},?[ \t]{1,3}[a-zäöü]")


def is_in_a_sentence(text: str, start: int, end: int) -> bool:
    """Return whether words of the same sentence stand before and behind what is between `start` and `end`."""
    before = text[max(0, start - 10) : start]
    return bool(_SENTENCE_BEFORE.search(before)) and bool(_SENTENCE_AFTER.match(text, end))


def is_shown(text: str, start: int) -> bool:
    """Return whether what begins at `start` is announced as an example or quotation, or stands in
    quotation marks.
    """
    before = text[max(0, start - 200) : start]
    return bool(_EXAMPLE.search(before)) or before.rstrip(" ")[-1:] in ('"', "“", "'", "«")
