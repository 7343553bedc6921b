"""Makes strangers' text harmless in a forge's Markdown: no pings, no images, no HTML, no broken layout."""

import re

from runners.policy.plaintext import one_line, without_controls

_SPECIAL = re.compile(r"[\\`*_{}\[\]()#+!|>~&<-]")
_ENTITIES = {"&": "&amp;", "<": "&lt;"}


# Characters of a code block, beyond which its middle is left out.
MAX_BLOCK = 6000


def inline(text: str, limit: int = 300) -> str:
    """`text` on one line, with nothing in it that Markdown, HTML or mentions would act on."""
    return _SPECIAL.sub(
        lambda found: _ENTITIES.get(found.group(), "\\" + found.group()), one_line(text, limit)
    )


def block(text: str, language: str = "text", limit: int = MAX_BLOCK) -> str:
    """`text` as a code block that it cannot end early; its middle is left out beyond `limit` characters."""
    clean = without_controls(text.replace("\r\n", "\n"))  # nothing acts inside a code block
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
