"""Makes strangers' text harmless in a forge's Markdown.

It cannot mention people, close issues, run quick actions, embed images or HTML, or break the layout around
it. https://github.github.com/gfm/ and https://docs.gitlab.com/user/project/quick_actions/
"""

import html
import re

from runners.policy.plaintext import defuse, one_line, without_controls, without_keywords

# Characters that Markdown or HTML acts on anywhere in a line.
_SPECIAL = re.compile(r"[\\`*_{}\[\]()#+!|>~&<$-]")
_ENTITIES = {"&": "&amp;", "<": "&lt;"}
# What acts only at the start of a line: quick actions, headings underlined by "=", numbered lists.
_START = re.compile(r"[/=]|\d{1,9}(?=\.)")
# A span of inline code: two runs of backticks of the same length.
_CODE = re.compile(r"(?<!`)(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)")
_ITEM = re.compile(r"(?P<indent>[ \t]*)(?P<mark>[-*+]|\d{1,2}[.)])[ \t]+(?P<text>\S.*)")
# What embeds, links or begins a block, where nothing is escaped.
_INERT = re.compile(r"^(?=[^\w“\"'(])|^\d{1,9}(?=[.)])|<(?=[A-Za-z/!?])|!(?=\[)|\](?=[(:\[])|`(?=``)|~(?=~~)")
_JOINER = "\u2060"  # WORD JOINER: no width

# The most characters of a code block; beyond it the middle is left out.
MAX_BLOCK = 6000


def inline(text: str, limit: int = 300) -> str:
    """Return `text` on one line, as it reads: no character of it formats anything."""
    return _guarded(_escaped(one_line(text, limit)))


def code(text: str, limit: int = 300) -> str:
    """Return `text` on one line, as inline code. It can stand in a table's cell too."""
    flat = one_line(text, limit)
    if not flat:
        return ""
    # A code span cannot hold these everywhere: a cell ends at a "|", and "\" and "`" change their meaning.
    return f"<code>{_escaped(flat)}</code>" if any(sign in flat for sign in "`|\\") else f"`{flat}`"


def html_text(text: str, limit: int = 300) -> str:
    """Return `text` on one line, for a place where forges read HTML and not Markdown: a `<summary>`."""
    return html.escape(one_line(text, limit), quote=False)


def sentence(text: str, limit: int = 300) -> str:
    """Return `text` on one line like `inline`, but with its inline code intact."""
    flat = " ".join(without_controls(text).split())
    return _with_code(flat if len(flat) <= limit else flat[: limit - 1] + "…")


def prose(text: str, limit: int = 4000) -> str:
    """Paragraphs and lists of at most `limit` characters of `text`; inline code stays intact, the rest as in
    `inline`."""
    clean = without_controls(text.replace("\r\n", "\n")).strip()
    if len(clean) > limit:
        clean = clean[: limit - 1] + "…"
    out: list[str] = []
    in_list = False
    for line in clean.split("\n"):
        item = _ITEM.match(line)
        if item:
            if not in_list and out and out[-1]:
                out.append("")
            nested = in_list and len(item["indent"].expandtabs(4)) >= 2
            mark = "-" if item["mark"] in "-*+" else item["mark"]
            out.append(f"{'    ' if nested else ''}{mark} {_with_code(item['text'].strip())}")
            in_list = True
        elif not line.strip():
            out.append("")
        elif in_list and out[-1] and line[0].isspace():
            # A line that goes on with the item above it.
            out[-1] += f" {_with_code(line.strip())}"
        else:
            if in_list and out[-1]:
                out.append("")
            out.append(_with_code(" ".join(line.split())))
            in_list = False
    return "\n".join(out)


def value(text: str, limit: int = 2000) -> str:
    """Return `text` on one line, for a text that people and models copy from.

    Nothing is escaped; what Markdown and HTML would act on is parted by characters without width.
    """
    return _INERT.sub(lambda found: found.group() + _JOINER, one_line(text, limit))


def block(text: str, language: str = "text", limit: int = MAX_BLOCK) -> str:
    """Return `text` as a code block that it cannot end early; its middle is left out beyond `limit`
    characters.
    """
    clean = without_controls(text.replace("\r\n", "\n"))
    if len(clean) > limit:
        half = limit // 2
        clean = f"{clean[:half]}\n… {len(clean) - 2 * half:,} characters left out …\n{clean[-half:]}"
    # Not all versions of GitLab see that a line of a block with a longer fence is no quick action.
    clean = re.sub(r"^(?=/\w)", _JOINER, without_keywords(clean), flags=re.MULTILINE)
    longest = max((len(run) for run in re.findall(r"`+", clean)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{clean.rstrip()}\n{fence}"


def single_spaced(text: str) -> str:
    """Markdown whose code blocks come from `block`, with at most one blank line in a row outside of them."""
    out: list[str] = []
    fence = ""
    for line in text.strip("\n").split("\n"):
        if fence:
            fence = "" if line == fence else fence
        elif line.startswith("```"):
            fence = line[: len(line) - len(line.lstrip("`"))]
        elif not line.strip() and not out[-1].strip():
            continue
        out.append(line)
    return "\n".join(out)


def _escaped(text: str) -> str:
    """Return one line of defused text in which no character formats anything."""
    return _SPECIAL.sub(lambda found: _ENTITIES.get(found.group(), "\\" + found.group()), text)


def _guarded(line: str) -> str:
    """Return `line` so that its beginning is no quick action, underline of a heading or item of a list."""
    start = _START.match(line)
    if start is None:
        return line
    return f"\\{line}" if line[0] in "/=" else f"{start.group()}\\{line[start.end() :]}"


def _with_code(line: str) -> str:
    """Return one line with its inline code intact."""
    parts: list[str] = []
    end = 0
    for found in _CODE.finditer(line):
        span = code(found[2], len(line) + 1)
        parts += [_escaped(defuse(line[end : found.start()])), span]
        end = found.end()
    return _guarded("".join([*parts, _escaped(defuse(line[end:]))]))
