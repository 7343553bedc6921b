"""Lets a model complete the first draft of a domain language: meanings, words to avoid, invariants, terms."""

import secrets
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError

from gherkin.domain.language import BuildingBlock, Context, Domain, Term, dump, speaks_of
from runners.loop.asking import ask
from runners.loop.prompting import domain_prompt
from runners.models.json_answers import read_json
from runners.models.roster import Engine

_MOST = 40
_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT, "maxItems": 6}


def _objects(**properties: Any) -> dict[str, Any]:
    item = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "array", "items": item, "maxItems": _MOST}


GLOSSARY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "contexts": _objects(name=_TEXT, summary=_TEXT),
        "terms": _objects(
            term=_TEXT,
            meaning=_TEXT,
            kind={"type": "string", "enum": ["", *get_args(BuildingBlock)]},
            avoid=_TEXTS,
            invariants=_TEXTS,
        ),
    },
    "required": ["contexts", "terms"],
    "additionalProperties": False,
}


def complete(drawn: Domain, files: Mapping[str, str], engine: Engine) -> Domain:
    """Return `drawn` with the model's additions; nothing in the draft is changed.

    `files` (path -> text) is what the model is shown; a new term must occur in them. Raises what
    `ChatModel.reply` raises, and `ValueError` if the answer cannot be used.
    """
    shown = "\n\n".join(f"### {path}\n{text}" for path, text in files.items())
    messages = domain_prompt(secrets.token_hex(8), dump(drawn), shown)
    given = read_json(ask(engine, "glossary", messages, schema=GLOSSARY_SCHEMA).reply)
    try:
        contexts = {each["name"]: _line(each["summary"]) for each in given["contexts"]}
        told = [_term(each) for each in given["terms"][:_MOST]]
    except (KeyError, TypeError, AttributeError, ValidationError):
        raise ValueError("the answer is not a domain language") from None
    known = {term.term.casefold() for term in drawn.terms}
    fresh = {each.term.casefold(): each for each in told if each.term.casefold() not in known}
    said = {each.term.casefold(): each for each in told}
    return Domain(
        contexts=tuple(_summed(context, contexts) for context in drawn.contexts),
        terms=(
            *(_filled(term, said.get(term.term.casefold())) for term in drawn.terms),
            *(each for each in fresh.values() if each.term and _stands(shown, each.term)),
        ),
    )


def _stands(text: str, word: str) -> bool:
    return speaks_of(text.replace("_", " "), Term(term=word))


def _term(given: Mapping[str, Any]) -> Term:
    return Term(
        term=_line(given["term"]),
        meaning=_line(given["meaning"]),
        kind=given["kind"] or None,
        avoid=_lines(given["avoid"]),
        invariants=_lines(given["invariants"]),
    )


def _lines(given: list[str]) -> tuple[str, ...]:
    if not isinstance(given, list):
        raise TypeError
    return tuple(line for line in map(_line, given) if line)


def _line(text: str) -> str:
    return " ".join(text.split())


def _summed(context: Context, told: Mapping[str, str]) -> Context:
    summary = context.summary or told.get(context.name, "")
    return context.model_copy(update={"summary": summary})


def _filled(term: Term, told: Term | None) -> Term:
    if told is None:
        return term
    silent = {
        name: getattr(told, name)
        for name in ("meaning", "kind", "avoid", "invariants")
        if not getattr(term, name)
    }
    return term.model_copy(update=silent)
