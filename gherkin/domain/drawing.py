"""Draft a repository's domain language from its Python code, features and step definitions."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from gherkin.domain.language import BuildingBlock, Context, Domain, Term, speaks_of
from gherkin.feature.keywords import language_of
from gherkin.feature.model import Feature, FeatureInvalid, Rule, Step, parse
from gherkin.feature.steps import catalogue

_SUFFIXES: dict[str, BuildingBlock] = {"Event": "event", "Service": "service"}
_VALUES = {"Enum", "StrEnum", "IntEnum", "Flag", "IntFlag", "NamedTuple"}
_ROLE = re.compile(
    r"\bas (?:an?|the) ([^,.]{2,40}?),? I (?:want|would like|can|need)(?: to)? ([^,.]+?)(?: so that|[,.]|$)",
    re.I,
)
_NOUN = re.compile(r"\b(?:an?|the|each|every|another|no) ([a-z]{3,})\b", re.I)
# The number of uses in scenarios from which a word is not there by chance.
_OFTEN = 2
_PLACES = 3


def draw(files: Mapping[str, str]) -> Domain:
    """Return a first draft from `files` (path -> text), of which Python and feature files are read.

    Packages become contexts and public classes become terms. Features give the roles in their narratives, and
    the nouns that both their steps and the code use. A rule's name becomes an invariant of the terms in it.
    """
    features = dict(_features(files))
    modules = dict(_modules(files))
    code = _from_code(modules)
    known = list(code.terms)
    for term in (*_roles(features), *_nouns(features, files, modules)):
        if not any(_words(term.term) == _words(each.term) for each in known):
            known.append(term)
    rules = [rule.name for feature in features.values() for rule in feature.rules]
    terms = [
        term.model_copy(
            update={"invariants": tuple(dict.fromkeys(rule for rule in rules if speaks_of(rule, term)))}
        )
        for term in known
    ]
    return Domain(contexts=code.contexts, terms=tuple(terms))


def _modules(files: Mapping[str, str]) -> Iterator[tuple[str, ast.Module]]:
    """Yield the repository's own modules with their paths, without tests and step definitions."""
    above = {folder for path in files if path.endswith(".feature") for folder in PurePosixPath(path).parents}
    folders = {folder for folder in above if any(path.startswith(f"{folder}/steps/") for path in files)}
    for path, source in sorted(files.items()):
        place = PurePosixPath(path)
        if place.suffix != ".py" or place.name.startswith("test_") or "tests" in place.parts:
            continue
        if not folders & set(place.parents):
            try:
                yield path, ast.parse(source)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue


def _features(files: Mapping[str, str]) -> Iterator[tuple[str, Feature]]:
    """Yield the features that can be read, with their paths."""
    for path, text in sorted(files.items()):
        if path.endswith(".feature"):
            try:
                yield path, parse(text, path, language_of(text))
            except FeatureInvalid:
                continue


def _roles(features: Mapping[str, Feature]) -> Iterator[Term]:
    """Yield the roles in the narratives (English), each described by what it wants."""
    for path, feature in features.items():
        for found in _ROLE.finditer(" ".join(feature.description)):
            yield Term(term=found[1].strip(), meaning=f"Wants to {found[2].strip()}.", where=(path,))


def _nouns(
    features: Mapping[str, Feature], files: Mapping[str, str], modules: Mapping[str, ast.Module]
) -> Iterator[Term]:
    """Yield nouns of steps (English) that are also names in the code, with the files of these names."""
    python = {path: text for path, text in files.items() if path.endswith(".py")}
    said = {step.text for feature in features.values() for step in _steps(feature)}
    said |= {definition.pattern for definition in catalogue(python)}
    count = Counter(noun for text in said for noun in {each.lower() for each in _NOUN.findall(text)})
    places = _names(modules)
    for noun, times in sorted(count.items()):
        if times >= _OFTEN and noun in places:
            yield Term(term=noun, where=tuple(places[noun][:_PLACES]))


def _steps(feature: Feature) -> Iterator[Step]:
    parts: list[Feature | Rule] = [feature, *feature.rules]
    for part in parts:
        yield from part.background.steps if part.background else ()
        for scenario in part.scenarios:
            yield from scenario.steps


def _names(modules: Mapping[str, ast.Module]) -> Mapping[str, list[str]]:
    """Return the names in the code (parameters, attributes, variables), each with the files that use it."""
    places: dict[str, list[str]] = defaultdict(list)
    for path, tree in modules.items():
        for name in {_name(node) for node in ast.walk(tree)}:
            places[name].append(path)
    return places


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _words(name: str) -> str:
    """Return ``OrderLine`` and ``order_line`` as ``order line``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", name).casefold()


def _from_code(modules: Mapping[str, ast.Module]) -> Domain:
    """Return the packages of modules (path -> tree) as contexts and their public classes as terms.

    The kind of building block is found by the form of a class: enumerations, named tuples and frozen classes
    are value objects, classes whose objects have an id are entities, and classes whose names end in Event or
    Service are those. Other classes have no kind. A leading ``src/`` is not a package.
    """
    contexts: dict[str, Context] = {}
    terms: dict[str, Term] = {}
    for path, tree in modules.items():
        place = PurePosixPath(path)
        inside = place.parts[1:] if place.parts[0] == "src" and len(place.parts) > 1 else place.parts
        package = inside[0] if len(inside) > 1 else place.stem
        folder = "/".join(place.parts[: 1 - len(inside)])
        speaks = inside == (package, "__init__.py") or len(inside) == 1
        summary = _first_line(ast.get_docstring(tree)) if speaks else ""
        known = contexts.get(package)
        contexts[package] = Context(
            name=package,
            summary=summary or (known.summary if known else ""),
            paths=(f"{folder}/**",) if len(inside) > 1 else (path,),
        )
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                meaning = _first_line(ast.get_docstring(node))
                term = Term(
                    term=node.name, meaning=meaning, kind=_block_of(node), context=package, where=(path,)
                )
                terms.setdefault(node.name, term)
    return Domain(contexts=tuple(contexts.values()), terms=tuple(terms.values()))


def _block_of(node: ast.ClassDef) -> BuildingBlock | None:
    for suffix, kind in _SUFFIXES.items():
        if node.name.endswith(suffix) and node.name != suffix:
            return kind
    bases = {base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases}
    if bases & _VALUES or any(_is_frozen(each) for each in node.decorator_list):
        return "value object"
    fields = {
        each.target.id
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    return "entity" if "id" in fields or f"{node.name.lower()}_id" in fields else None


def _is_frozen(decorator: ast.expr) -> bool:
    """Return whether a class decorator freezes it: ``@dataclass(frozen=True)``, or attrs' ``@frozen``."""
    if isinstance(decorator, ast.Call):
        named = {each.arg: each.value for each in decorator.keywords}
        frozen = named.get("frozen")
        return (isinstance(frozen, ast.Constant) and frozen.value is True) or _is_frozen(decorator.func)
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
    return name == "frozen"


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0]
