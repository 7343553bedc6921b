"""Read a YAML file of keys and values into a model; errors name the place and the valid keys."""

from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from gherkin.errors import ScenaristError
from gherkin.validation import first_problem
from gherkin.values import Frozen

M = TypeVar("M", bound=BaseModel)


def read_yaml(text: str, name: str, model: type[M], invalid: type[ScenaristError]) -> M:
    """Return `text`, the content of the file `name`, as a `model`; an empty file means all defaults.

    Raises `invalid`, with a sentence that names the line or the key.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise invalid(f"{name} line {line}: {error.problem or 'not valid YAML'}.") from None
    except (yaml.YAMLError, RecursionError):
        raise invalid(f"{name} is not valid YAML.") from None
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise invalid(f"{name} must hold keys and values.")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        found = _line(text, first["loc"])
        at = f" line {found}" if found else ""
        hint = (
            f" Known keys: {', '.join(_keys(model, first['loc'][:-1]))}."
            if first["type"] == "extra_forbidden"
            else ""
        )
        raise invalid(f"{name}{at}: {first_problem(error, 'the file')}.{hint}") from None


def _keys(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are valid at `place`."""
    found: Any = model
    for part in place:
        if get_origin(found) is dict:
            found = get_args(found)[1]
        else:
            field = model.model_fields.get(str(part))
            found = field.annotation if field else None
        if get_origin(found) is dict:
            continue
        if not isinstance(found, type) or not issubclass(found, BaseModel):
            return sorted(model.model_fields)
        model = found
    return sorted(model.model_fields)


def _line(text: str, place: tuple[int | str, ...]) -> int | None:
    """Return the line (from 1) of the deepest key of `place` that is in the file."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = None
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


class Source(Frozen):
    """The place of a secret text: an environment variable or a file."""

    env: str = Field(default="", description="Name of an environment variable.")
    file: Path | None = Field(default=None, description="A file that holds nothing else.")

    @model_validator(mode="after")
    def _one(self) -> "Source":
        if bool(self.env) == bool(self.file):
            raise ValueError("give either `env` or `file`")
        return self
