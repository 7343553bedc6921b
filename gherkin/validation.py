"""What is wrong with a value that a model of pydantic refused, in words for people who never saw the code."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "string_type": "should be text",
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
    "extra_forbidden": "is not known here",
    "none_required": "should be empty",
    "string_pattern_mismatch": "does not have the right form",
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), "should be a list"),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type"), "should hold keys and values"),
    **dict.fromkeys(("model_attributes_type", "dataclass_type"), "should hold keys and values"),
}
_WITH_BOUND: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "literal_error": lambda ctx: f"should be one of {str(ctx['expected']).replace(' or ', ', ')}",
    "enum": lambda ctx: f"should be one of {ctx['expected']}",
    "greater_than_equal": lambda ctx: f"should be at least {ctx['ge']}",
    "greater_than": lambda ctx: f"should be more than {ctx['gt']}",
    "less_than_equal": lambda ctx: f"should be at most {ctx['le']}",
    "less_than": lambda ctx: f"should be less than {ctx['lt']}",
    "too_short": lambda ctx: (
        "should not be empty"
        if ctx["min_length"] == 1
        else f"should have at least {ctx['min_length']} entries"
    ),
    "too_long": lambda ctx: f"should have at most {ctx['max_length']} entries",
    "string_too_short": lambda ctx: (
        "should not be empty"
        if ctx["min_length"] == 1
        else f"should have at least {ctx['min_length']} characters"
    ),
    "string_too_long": lambda ctx: f"should have at most {ctx['max_length']} characters",
}


def in_words(error: Mapping[str, Any], whole: str) -> str:
    """Return one of the errors of a `ValidationError`, without a full stop: ``names[0] should be text``.

    List entries are counted from 0, as in JSON. `whole` names the value that was checked, where that itself
    is wrong.
    """
    kind, bounds = str(error["type"]), error.get("ctx", {})
    steps = [part for part in error["loc"] if part != "[key]"]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in steps)
    place = place.removeprefix(".")
    if kind == "value_error":
        return f"{place}: {bounds['error']}" if place else str(bounds["error"])
    words = _WITH_BOUND[kind](bounds) if kind in _WITH_BOUND else _WORDS.get(kind)
    return f"{place or whole} {words}" if words else f"{place or whole}: {error['msg']}"


def first_problem(error: ValidationError, whole: str) -> str:
    """Return the first of the errors in words; see `in_words`."""
    return in_words(error.errors(include_url=False, include_input=False)[0], whole)
