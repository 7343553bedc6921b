"""Find the names of code in an issue, and where the repository defines and mentions them."""

import builtins
import keyword
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from runners.repository.snapshot import Hit, Snapshot
from runners.verify.rules.purposes import Purpose, purpose_of

_MOST_NAMES = 12
_MOST_PLACES = 20
_MOST_EACH = 3
_MOST_DOCUMENTS = 8
_SHORTEST = 3
_MARKED = re.compile(r"`+([^`\n]{2,80})`+")
_IN_CODE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)
_CODE_LIKE = re.compile(
    r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\b"  # a.b.c
    r"|\b[A-Za-z]\w*_\w+\b"  # snake_case
    r"|\b[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+\b"  # CamelCase
    r"|\b[a-z]+(?:[A-Z][a-z0-9]+)+\b"  # camelCase
    r"|\b[A-Za-z_]\w*(?=\(\))"  # call()
    r"|(?<![\w-])--[a-z][\w-]+"  # --option
)
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|--[a-z][\w-]+")
_COMMON = frozenset(
    word.lower() for word in (*keyword.kwlist, *dir(builtins), "self", "cls", "null", "true", "false")
)
_FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)*\.\w{1,5}")
_ADDRESS = re.compile(r"\w+://\S+")
_EXAMPLES = frozenset(["example", "examples", "demo", "demos", "sample", "samples", "bench", "benchmarks"])
# What stands before a name where it is defined, in the languages that are usual.
_BEFORE = (
    r"(def|class|func|fn|function|interface|struct|trait|enum|type|const|let|var|module|protocol)"
    r"[[:space:]]+(\([^)]*\)[[:space:]]*)?"
)
_END = "([^[:alnum:]_]|$)"
_DEFINED = rf"(^|[^[:alnum:]_]){_BEFORE}({{}}){_END}"
_ASSIGNED = r"^[[:space:]]*({})[[:space:]]*(:|=)[^=]"
_MENTIONED = rf"(^|[^[:alnum:]_-])({{}}){_END}"
# In code marks, dotted, called, or an option.
_AS_CODE = r"([`.~]|:: ?)({0})([^[:alnum:]_]|$)|(^|[^[:alnum:]_])({0})[(`=]|(^|[^[:alnum:]_-])--[a-z-]*({0})"
_ORDER: Sequence[Purpose] = (
    "product",
    "step",
    "configuration",
    "test",
    "fixture",
    "feature",
    "documentation",
)


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of code in an issue, those that are marked as code first, in the order of the text.

    They are functions, classes, options and dotted names; a language's own words are left out.
    """
    plain = _ADDRESS.sub(" ", text)
    prose = _IN_CODE.sub(" ", plain)
    marked = [part for found in _MARKED.findall(prose) for part in _parts(found)]
    written = [found for found in _CODE_LIKE.findall(prose) if not _FILE.fullmatch(found) or "." not in found]
    called = _CODE_LIKE.findall("\n".join(each[0] for each in _IN_CODE.finditer(plain)))
    names: list[str] = []
    for name in (*marked, *written, *called):
        if name not in names and name.lower() not in _COMMON and len(name) >= _SHORTEST:
            names.append(name)
    return tuple(names[:_MOST_NAMES])


def _parts(marked: str) -> list[str]:
    """Return the name in a text that is marked as code: ``click.prompt(text)`` is about ``click.prompt``."""
    found = _NAME.match(marked.strip())
    rest = marked.strip()[found.end() :] if found else ""
    return [found[0]] if found and (not rest or rest[0] in "(=[: ,") else []


def own_words(snapshot: Snapshot, issue: str) -> tuple[str, ...]:
    """Return words that scenarios of this repository may use although they sound like code.

    These are the repository's words about itself in pyproject.toml, and the names in `issue`. `issue` is
    empty if the users of the software call no code.
    """
    try:
        project = tomllib.loads(snapshot.text("pyproject.toml")).get("project", {})
        about = [str(project.get("name", "")), str(project.get("description", ""))]
    except (tomllib.TOMLDecodeError, AttributeError):
        about = []
    names = names_in(issue)
    return tuple(filter(None, [*about, *names, *map(last_part, names)]))


def last_part(name: str) -> str:
    """Return the last part of a dotted name: ``Session.get`` is ``get``."""
    return name.rpartition(".")[2]


def files_named(text: str, files: Sequence[str]) -> list[str]:
    """Return the files that an issue names, by path or by a name that only one file has."""
    found: list[str] = []
    for said in dict.fromkeys(_FILE.findall(_ADDRESS.sub(" ", text))):
        ends = [path for path in files if path == said or path.endswith(f"/{said}")]
        found += [said] if said in ends else ends if len(ends) == 1 else []
    return found


def definitions(snapshot: Snapshot, names: Sequence[str]) -> list[Hit]:
    """Return where the repository defines the `names`, the product before tests and examples.

    For a name that nothing defines, it returns where it is a parameter or a value, or else where the product
    mentions it.
    """
    words = sorted({last_part(name) for name in names})
    found: list[Hit] = []
    for pattern, own in ((_DEFINED, False), (_ASSIGNED, True), (_MENTIONED, True)):
        left = [word for word in words if not any(_says(hit.text, word) for hit in found)]
        if pattern == _MENTIONED:
            left = [word for word in left if not word.isalnum()]
        if left:
            hits = snapshot.grep(pattern.format("|".join(map(re.escape, left))))
            code = [hit for hit in hits if purpose_of(hit.path) != "documentation"]
            found += _best([hit for hit in code if is_own_code(hit.path)] if own else code, left)
    return found[:_MOST_PLACES]


def documents(snapshot: Snapshot, names: Sequence[str], without: Iterable[str] = ()) -> list[Hit]:
    """Return lines of the repository's documents that mention the `names` as code.

    The files in `without` are left out.
    """
    words = sorted({last_part(name) for name in names if len(last_part(name)) > _SHORTEST})
    if not words:
        return []
    any_of = "|".join(map(re.escape, words))
    hits = snapshot.grep(_AS_CODE.format(any_of), "*.md", "*.rst", "*.adoc", "*.txt", "docs", "doc")
    skipped = set(without)
    shown: list[Hit] = []
    for hit in hits:
        here = sum(each.path == hit.path for each in shown)
        if hit.path not in skipped and purpose_of(hit.path) == "documentation" and here < _MOST_EACH:
            shown.append(hit)
    return shown[:_MOST_DOCUMENTS]


def _best(hits: Sequence[Hit], words: Sequence[str]) -> list[Hit]:
    """Return the best places of each word, at most three."""
    ranked = sorted(hits, key=lambda hit: _rank(hit.path))
    chosen: list[Hit] = []
    for word in words:
        mine = [hit for hit in ranked if _says(hit.text, word)]
        product = [hit for hit in mine if _rank(hit.path) == (0, 0)]
        chosen += (product or mine)[:_MOST_EACH]
    return list(dict.fromkeys(chosen))


def _rank(path: str) -> tuple[int, int]:
    """Return a file's place in the order: the product first, examples last."""
    inside = _EXAMPLES.isdisjoint(part.lower() for part in PurePosixPath(path).parts[:-1])
    return (0 if inside else 1, _ORDER.index(purpose_of(path)))


def is_own_code(path: str) -> bool:
    """Return whether a file is code of the product, and no test, document or example."""
    return _rank(path) == (0, 0)


def _says(text: str, word: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None
