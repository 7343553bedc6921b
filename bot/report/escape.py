"""Makes strangers' text harmless in a forge's Markdown: no pings, no images, no HTML, no broken layout."""

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|>~-])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
# Terminal escapes and other control characters, and the marks that reverse the direction of text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def inline(text: str, limit: int = 300) -> str:
    """`text` on one line, with nothing in it that Markdown, HTML or mentions would act on."""
    flat = " ".join(_CONTROL.sub(" ", text).split())
    if len(flat) > limit:
        flat = flat[: limit - 1] + "…"
    flat = re.sub(r"[&<@]", lambda found: _ENTITIES[found.group()], flat)
    # `#` starts an issue reference and `GH-1` is one, even in the middle of a line.
    flat = re.sub(r"\bGH-(?=\d)", "GH&#45;", _SPECIAL.sub(r"\\\1", flat))
    return re.sub(r"(?i)\b(https?|ftp)://", r"\1&#58;//", flat)


def block(text: str, language: str = "text", limit: int = 6000) -> str:
    """`text` as a code block that it cannot end early; its middle is left out beyond `limit` characters."""
    clean = _CONTROL.sub("", text.replace("\r\n", "\n"))
    if len(clean) > limit:
        half = limit // 2
        clean = f"{clean[:half]}\n… {len(clean) - limit:,} characters left out …\n{clean[-half:]}"
    longest = max((len(run) for run in re.findall(r"`+", clean)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{clean.rstrip()}\n{fence}"


def prose(text: str, limit: int = 4000) -> str:
    """A paragraph or more of strangers' text: line by line like `inline`, blank lines kept."""
    lines = text.replace("\r\n", "\n").split("\n")
    out = "\n".join(inline(line, limit) if line.strip() else "" for line in lines)
    return out if len(out) <= limit else out[: limit - 1] + "…"
