"""The domain language of a repository: `.scenarist/domain.yml`."""

import re
from collections.abc import Sequence
from typing import Any, Literal

import yaml
from pydantic import ValidationError, model_validator

from gherkin.errors import ScenaristError
from gherkin.validation import first_problem
from gherkin.values import Frozen


class DomainInvalid(ScenaristError):
    """The repository's `.scenarist/domain.yml` cannot be used."""

    code = "SCN-2003"
    next_step = "Correct the file on the default branch."


class _LanguageEntry(Frozen):
    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, data: Any) -> Any:
        """Treat a key without a value, such as ``terms:``, as missing."""
        return (
            {key: value for key, value in data.items() if value is not None}
            if isinstance(data, dict)
            else data
        )


class Context(_LanguageEntry):
    """A bounded context and the paths of its code."""

    name: str
    summary: str = ""
    paths: tuple[str, ...] = ()


# The building blocks of https://www.domainlanguage.com/ddd/reference/
BuildingBlock = Literal["aggregate", "entity", "value object", "event", "service"]


class Term(_LanguageEntry):
    """A word of the ubiquitous language; `avoid` are words that should not be used for it.

    `kind` is the building block that it names, `where` are the files that define it, and `invariants` are
    sentences about it that are always true.
    """

    term: str
    meaning: str = ""
    kind: BuildingBlock | None = None
    avoid: tuple[str, ...] = ()
    context: str = ""
    where: tuple[str, ...] = ()
    invariants: tuple[str, ...] = ()


class Domain(_LanguageEntry):
    """The content of the file."""

    contexts: tuple[Context, ...] = ()
    terms: tuple[Term, ...] = ()


def load(text: str) -> Domain:
    """Read the file's text. Raises `DomainInvalid`, which names the line or key."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "the file"
        raise DomainInvalid(f"domain.yml: {where}: not valid YAML.") from None
    except (ValueError, RecursionError):  # a date that does not exist, or nested too deeply
        raise DomainInvalid("domain.yml: the file: not valid YAML.") from None
    try:
        return Domain.model_validate(data or {})
    except ValidationError as error:
        raise DomainInvalid(f"domain.yml: {first_problem(error, 'the file')}.") from None


def describe(domain: Domain, budget_chars: int, about: str = "") -> str:
    """Return the language as text for a prompt, in at most `budget_chars` characters; terms come first.

    The first terms are those that occur in the text `about`.
    """
    lines = []
    for term in sorted(domain.terms, key=lambda each: not speaks_of(about, each)):
        avoid = f"not: {', '.join(term.avoid)}" if term.avoid else ""
        notes = "; ".join(filter(None, [term.kind, avoid]))
        named = (
            term.term
            + (f" ({notes})" if notes else "")
            + (f" [{', '.join(term.where)}]" if term.where else "")
        )
        always = "".join(f" Always: {each}" for each in term.invariants)
        lines.append(f"{named}: {term.meaning}{always}".rstrip(": "))
    for context in domain.contexts:
        paths = f" [{', '.join(context.paths)}]" if context.paths else ""
        lines.append(f"{context.name}{paths}: {context.summary}".rstrip(": "))
    kept: list[str] = []
    used = 0
    for line in lines:
        used += len(line) + bool(kept)  # one more for the newline before the line
        if used > budget_chars:
            break
        kept.append(line)
    return "\n".join(kept)


def speaks_of(text: str, term: Term) -> bool:
    """Return whether `text` contains the term (``OrderLine`` or ``order line``) or a word to avoid for it."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", term.term)
    names = (term.term, spaced, *term.avoid)
    return any(re.search(rf"\b{re.escape(name)}", text, re.IGNORECASE) for name in names if name)


def extended(text: str, terms: Sequence[Term]) -> str | None:
    """Return the file's text with new terms at the end of its list; None if there is none to add.

    Words that the file already has, as a term or as a word to avoid, are left out. Raises `DomainInvalid`.
    """
    domain = load(text)
    known = {word.casefold() for term in domain.terms for word in (term.term, *term.avoid)}
    fresh = [term for term in terms if term.term.strip() and term.term.casefold() not in known]
    if not fresh:
        return None
    dumped = yaml.safe_dump(
        [{"term": term.term, "meaning": term.meaning} for term in fresh],
        allow_unicode=True,
        sort_keys=False,
        width=10_000,
    )
    lines = text.split("\n")
    start = next((at for at, line in enumerate(lines) if re.fullmatch(r"terms:\s*(#.*)?", line)), None)
    if start is None:
        return text.rstrip("\n") + "\nterms:\n" + dumped if not domain.terms else None
    end = next((at for at in range(start + 1, len(lines)) if re.match(r"[^\s#-]", lines[at])), len(lines))
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    first = next((line for line in lines[start + 1 : end] if line.lstrip().startswith("-")), "- ")
    indent = first[: len(first) - len(first.lstrip())]
    added = [indent + line for line in dumped.rstrip("\n").split("\n")]
    whole = "\n".join([*lines[:end], *added, *lines[end:]])
    return whole if whole.endswith("\n") else whole + "\n"


def dump(domain: Domain) -> str:
    """Return the language as the text of `.scenarist/domain.yml`."""
    data = domain.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=100)
