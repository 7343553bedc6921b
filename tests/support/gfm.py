"""Render text with markdown-it-py, an independent renderer of GitHub-flavoured Markdown.

https://github.github.com/gfm/
"""

from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

_RENDERER = MarkdownIt("gfm-like")
# GFM does not link bare domains such as example.com, but linkify-it would.
_RENDERER.linkify.set({"fuzzy_link": False})


def tokens(text: str) -> list[Token]:
    return _RENDERER.parse(text)


def outline(text: str) -> list[str]:
    """Return the structure without the words: a line for each block and for each inline element."""
    return list(_outlined(tokens(text)))


def headings(text: str) -> list[str]:
    found = tokens(text)
    return [found[at + 1].content for at, token in enumerate(found) if token.type == "heading_open"]


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of each row of each table, including headers, as text."""
    rows: list[list[str]] = []
    cells: list[str] = []
    for token in tokens(text):
        if token.type == "tr_open":
            cells = []
        elif token.type == "inline" and token.level >= 4 and rows is not None:
            cells.append(shown(token))
        elif token.type == "tr_close":
            rows.append(cells)
    return rows


def items(text: str) -> list[str]:
    """Return the text of each item of each list."""
    found = tokens(text)
    opened = [at for at, token in enumerate(found) if token.type == "list_item_open"]
    return [shown(next(token for token in found[at:] if token.type == "inline")) for at in opened]


def codes(text: str) -> list[str]:
    """Return the contents of all inline code."""
    return [child.content for child in _children(tokens(text)) if child.type == "code_inline"]


def blocks(text: str) -> list[str]:
    """Return the contents of all code blocks."""
    return [token.content for token in tokens(text) if token.type in ("fence", "code_block")]


def words(text: str) -> str:
    """Return the whole text as people read it."""
    return "\n".join(shown(token) for token in tokens(text) if token.type == "inline")


def shown(token: Token) -> str:
    parts = {"softbreak": "\n", "hardbreak": "\n", "html_inline": ""}
    return "".join(parts.get(child.type, child.content) for child in token.children or [])


def _children(found: list[Token]) -> Iterator[Token]:
    for token in found:
        yield from token.children or []


def _outlined(found: list[Token]) -> Iterator[str]:
    for token in found:
        if token.type == "inline":
            kinds = [child.type for child in token.children or []]
            kept = [kind for kind in kinds if kind not in ("text", "softbreak", "text_special")]
            yield " " * token.level + " ".join(["text", *kept])
        elif token.nesting >= 0:
            yield " " * token.level + f"{token.type} {token.tag}"
