"""Hooks of MkDocs: pages from README, CHANGELOG and CONTRIBUTING, and files of the repository that pages link to.

The sources are written as forges show them (CommonMark). Python-Markdown differs in two ways that matter here: a
list needs an empty line before it, and `../` leaves the site.
https://www.mkdocs.org/user-guide/configuration/#hooks
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
# Pages made from files of the root.
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")
_ITEM = re.compile(r"(?:[*+-]|\d+\.) ")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from the root, and each file outside `docs` to which a page links."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    wanted = {
        path
        for each in list(files)
        if each.src_uri.endswith(".md")
        for path, _ in _links(each.content_string, _place(each.src_uri))
        if not path.startswith("docs/") and path not in PAGES and (ROOT / path).is_file()
    }
    for path in sorted(wanted):
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, f"repository/{path}.txt", content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_more: Any) -> str:
    """Turn links into links within the site, and put an empty line before each list."""
    here = page.file.src_uri
    return _with_lists(_LINK.sub(lambda found: _in_site(found, here), markdown))


def _place(src_uri: str) -> str:
    """Return where in the repository a page's source lies."""
    made = {page: source for source, page in PAGES.items()}
    return made.get(src_uri, f"docs/{src_uri}")


def _links(text: str, source: str) -> list[tuple[str, str]]:
    """Return (path in the repository, anchor) of each relative link in the page at `source`."""
    folder = posixpath.dirname(source)
    found = _LINK.finditer(text)
    return [(posixpath.normpath(posixpath.join(folder, each[1])), each[2] or "") for each in found]


def _in_site(found: "re.Match[str]", here: str) -> str:
    """Return the same link as seen from a page of the site; one to a folder of the repository loses its
    target.
    """
    folder = posixpath.dirname(_place(here))
    path, anchor = posixpath.normpath(posixpath.join(folder, found[1])), found[2] or ""
    if path in PAGES:
        target = PAGES[path]
    elif path.startswith("docs/"):
        target = path.removeprefix("docs/")
    elif (ROOT / path).is_file():
        target = f"repository/{path}.txt"
    elif (ROOT / path).is_dir():
        return "]"
    else:
        return found[0]  # it is broken, and strict mode says so
    return f"]({posixpath.relpath(target, posixpath.dirname(here) or '.')}{anchor})"


def _with_lists(text: str) -> str:
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        before = lines[-1] if lines else ""
        starts = not fence and not mark and _ITEM.match(line) is not None
        if starts and before.strip() and not before.startswith(" ") and not _ITEM.match(before):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)
