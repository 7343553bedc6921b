"""What a repository asks of people who change it.

This is its instructions for agents, guide for contributors, changelog, and version marks in docstrings and
documents.
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import PurePosixPath

from runners.policy.plaintext import cut_middle
from runners.repository.snapshot import Snapshot

# https://agents.md; CLAUDE.md is read where there is no AGENTS.md.
INSTRUCTIONS = ("AGENTS.md", "CLAUDE.md")
GUIDES = tuple(
    f"{folder}CONTRIBUTING{suffix}"
    for folder in ("", ".github/", ".gitlab/", "docs/", "doc/")
    for suffix in (".md", ".rst", ".txt", "")
)
# https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests
TEMPLATES = tuple(
    f"{folder}{name}"
    for folder in (
        ".github/",
        "",
        "docs/",
        ".gitlab/merge_request_templates/",
        ".github/PULL_REQUEST_TEMPLATE/",
    )
    for name in (
        "PULL_REQUEST_TEMPLATE.md",
        "PULL_REQUEST_TEMPLATE.txt",
        "PULL_REQUEST_TEMPLATE",
        "Default.md",
    )
)
_CHANGELOGS = tuple(
    f"{folder}{name}{suffix}"
    for folder in ("", "docs/", "doc/", "docs/source/")
    for name in ("CHANGELOG", "CHANGES", "HISTORY", "NEWS", "RELEASES", "RELEASE_NOTES", "RELEASE-NOTES")
    for suffix in (".md", ".rst", ".txt", "")
)
# Folders of towncrier, reno, scriv, changesets and their like: a change brings a file of its own.
_FRAGMENTS = (
    *("newsfragments", "changelog.d", "changes", "news", "changelog", "changelogs/unreleased", ".changeset"),
    *(
        "docs/newsfragments",
        "docs/changelog",
        "doc/newsfragments",
        "docs/changes",
        "CHANGES",
        "releasenotes/notes",
    ),
)
_FRAGMENT = re.compile(r"(?:\+?[\w-]*\.)?[\w-]+\.(?:rst|md|txt|ya?ml)|\d+\.\w+")
_NO_FRAGMENT = re.compile(r"(?:readme|template|index|changelog|config|_template).*", re.I)
_USEFUL = re.compile(
    r"style|lint|format|test|changelog|change ?log|news|doc|commit|pull request|merge request|patch"
    r"|cod(?:e|ing)|convention|guideline|rule|standard|type|polic",
    re.I,
)
_USELESS = re.compile(
    r"conduct|security|vulnerab|report|bug|issue|question|support|sponsor|translat|licen[cs]e|thank"
    r"|getting started|set(?:ting)? ?up|install|environment|fork|clone|first|release|communicat|contact"
    r"|financ|where to|becom",
    re.I,
)
_HEADING = re.compile(
    r"^(?:#{1,6}[ \t]+(?P<atx>[^\n]+?)[ \t#]*|(?P<under>[^\s#][^\n]*)\n[=\-~^*+\"]{3,}[ \t]*)$", re.M
)
_MARKDOWN_HEADING = re.compile(r"^#{1,6}[ \t]+([^\n]+?)[ \t#]*$", re.M)
_MARKS = r"\.\. version(added|changed)::"
_FEW = 3
_MAX_GUIDE = 3000
_MAX_SECTION = 1200
_MAX_CHANGELOG = 1200
_MAX_FRAGMENT = 300


def instructions(snapshot: Snapshot) -> str:
    """Return the repository's instructions for agents; empty if it has none."""
    return next((snapshot.text(name) for name in INSTRUCTIONS if name in snapshot.files), "")


def contributing(snapshot: Snapshot) -> str:
    """Return the parts of the guide for contributors that say how code, tests and documents are written."""
    path = snapshot.first(GUIDES)
    text = snapshot.text(path) if path else ""
    parts = [
        cut_middle(body.strip(), _MAX_SECTION)
        for heading, body in sections(text)
        if _USEFUL.search(heading) and not _USELESS.search(heading)
    ]
    return f"From {path}:\n\n" + cut_middle("\n\n".join(parts), _MAX_GUIDE) if parts else ""


def sections(text: str) -> list[tuple[str, str]]:
    """Return (heading, text with its heading) of each section of a Markdown or reStructuredText document.

    The text before the first heading is left out. Lines in code blocks are no headings.
    """
    plain = re.sub(
        r"^(```|~~~).*?^\1", lambda found: re.sub(r"[^\n]", " ", found[0]), text, flags=re.M | re.S
    )
    found = list(_HEADING.finditer(plain))
    if not found:
        return []
    ends = [*(each.start() for each in found[1:]), len(text)]
    return [
        ((each["atx"] or each["under"]).strip(), text[each.start() : end])
        for each, end in zip(found, ends, strict=True)
        if text[each.end() : end].strip()
    ]


def pull_template(snapshot: Snapshot) -> str:
    """Return the repository's template for the text of pull requests; empty if it has none."""
    path = snapshot.first(TEMPLATES)
    return snapshot.text(path) if path else ""


def headings_of(template: str) -> tuple[str, ...]:
    """Return the headings of a Markdown template for pull requests, as they are written."""
    return tuple(
        found.strip() for found in _MARKDOWN_HEADING.findall(re.sub(r"<!--.*?-->", "", template, flags=re.S))
    )


def answered(text: str, headings: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return `text` up to the first of the `headings` in it, and the text below each of them."""
    by_word = {_plain(each): each for each in headings}
    parts = _MARKDOWN_HEADING.split(text)
    head, form, last = parts[0], {}, ""
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        known = by_word.get(_plain(heading))
        if known:
            last = known
            form[known] = body.strip()
        elif last:
            form[last] += f"\n\n{heading}\n{body.rstrip()}"
        else:
            head += f"{heading}\n{body}"
    return head.strip() or next(iter(form.values()), ""), {key: each for key, each in form.items() if each}


def _plain(heading: str) -> str:
    return " ".join(re.findall(r"\w+", heading.lower()))


def is_package(snapshot: Snapshot) -> bool:
    """Return whether other programs import the repository: it is packaged, and is no site or service."""
    if "manage.py" in snapshot.files:
        return False
    if "setup.py" in snapshot.files or "Cargo.toml" in snapshot.files:
        return True
    return any(
        re.search(pattern, snapshot.text(name), re.M)
        for name, pattern in (
            ("pyproject.toml", r"^\[(?:project|tool\.poetry|tool\.flit\.metadata)\]"),
            ("setup.cfg", r"^\[metadata\]"),
            ("package.json", r'"(?:main|exports|module)"\s*:'),
        )
    )


def changelog_path(snapshot: Snapshot) -> str:
    """Return the file of the repository's changelog; empty if it keeps none."""
    return snapshot.first(_CHANGELOGS)


def changelog_like(path: str) -> bool:
    """Return whether a file is a changelog, or a fragment of one, by its path."""
    known = {name.lower() for name in _CHANGELOGS}
    return path.lower() in known or any(_is_fragment(path, folder) for folder in _FRAGMENTS)


def changelog(snapshot: Snapshot) -> str:
    """Return how the repository keeps its changelog: a file for each change, or where the next entry goes.

    Empty if it keeps none.
    """
    return _fragments(snapshot) or _newest_entries(snapshot)


def _fragments(snapshot: Snapshot) -> str:
    folder = _fragment_folder(snapshot)
    if not folder:
        return ""
    inside = [path for path in snapshot.files if path.startswith(f"{folder}/")]
    kept = [path for path in inside if _is_fragment(path, folder)]
    lines = [f"Each change brings a file of its own in {folder}/ (number of the issue, kind of change):"]
    lines += [f"{path}\n    {cut_middle(snapshot.text(path).strip(), _MAX_FRAGMENT)}" for path in kept[-2:]]
    readme = next((path for path in inside if PurePosixPath(path).stem.lower() == "readme"), "")
    return "\n".join([*lines, *([f"{readme} says more."] if readme else [])])


def _fragment_folder(snapshot: Snapshot) -> str:
    try:
        tools = tomllib.loads(snapshot.text("pyproject.toml")).get("tool", {})
        named = tools.get("towncrier", {}).get("directory", "")
    except (tomllib.TOMLDecodeError, AttributeError):
        named = ""
    if isinstance(named, str) and named and any(path.startswith(f"{named}/") for path in snapshot.files):
        return named.rstrip("/")
    for folder in _FRAGMENTS:
        if sum(_is_fragment(path, folder) for path in snapshot.files) > 1:
            return folder
    return ""


def _is_fragment(path: str, folder: str) -> bool:
    place = PurePosixPath(path)
    numbered = re.match(
        r"\+|\d|[\w-]+\.(?:feature|bugfix|doc|misc|removal|change|fix|added|fixed)\b", place.name
    )
    named = _FRAGMENT.fullmatch(place.name) and not _NO_FRAGMENT.fullmatch(place.name)
    return place.is_relative_to(folder) and bool(named) and bool(numbered)


def _newest_entries(snapshot: Snapshot) -> str:
    path = changelog_path(snapshot)
    text = snapshot.text(path).strip() if path else ""
    return f"{path} begins:\n\n{text[:_MAX_CHANGELOG].rsplit(chr(10), 1)[0]}" if text else ""


def version_marks(snapshot: Snapshot) -> str:
    """Return the newest version marks (Sphinx) in docstrings and documents, if there are several."""
    hits = snapshot.grep(_MARKS, "*.py", "*.rst", "*.md", "*.pyx", "*.txt")
    if len(hits) < _FEW:
        return ""
    newest = sorted(hits, key=lambda hit: _version_of(hit.text), reverse=True)[:2]
    shown = "; ".join(f"`{hit.text}` in {hit.path}:{hit.line}" for hit in newest)
    return f"Marks such as `.. versionadded::` stand at {len(hits)} places. The newest: {shown}."


def _version_of(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text.rpartition("::")[2])[:4]]
