"""GitHub's own OpenAPI description (npm `@octokit/openapi`): what a request must and an answer may look
like."""

import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft7Validator, validators
from jsonschema.exceptions import ValidationError

from tests.standins.npm import OPENAPI


def _nullable_type(validator: Any, types: Any, instance: Any, schema: dict[str, Any]) -> Iterator[Any]:
    """OpenAPI 3.0 says ``nullable`` where JSON Schema has a type `null`."""
    if instance is None and schema.get("nullable"):
        return
    yield from Draft7Validator.VALIDATORS["type"](validator, types, instance, schema)


def _nullable(name: str) -> Any:
    def check(validator: Any, value: Any, instance: Any, schema: dict[str, Any]) -> Iterator[Any]:
        if instance is None and schema.get("nullable"):
            return
        yield from Draft7Validator.VALIDATORS[name](validator, value, instance, schema)

    return check


_Validator = validators.extend(
    Draft7Validator,
    {"type": _nullable_type, **{name: _nullable(name) for name in ("enum", "anyOf", "oneOf", "allOf")}},
)


@cache
def description() -> "Description":
    """The description, read once a process."""
    return Description()


class Description:
    """Finds operations, checks requests and answers, and gives GitHub's own examples as templates."""

    def __init__(self) -> None:
        path = OPENAPI.folder / "generated" / "api.github.com.json"
        self._spec: dict[str, Any] = json.loads(path.read_text())
        self._paths = [
            (re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", template) + "$"), template)
            for template in sorted(self._spec["paths"], key=lambda text: text.count("{"))
        ]

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """The operation that serves `path`, or None; the most literal template wins."""
        for pattern, template in self._paths:
            found = self._spec["paths"][template].get(method.lower())
            if found is not None and pattern.match(path):
                operation: dict[str, Any] = found
                return operation
        return None

    def schema(self, name: str) -> dict[str, Any]:
        """One of the description's named schemas."""
        found: dict[str, Any] = self._spec["components"]["schemas"][name]
        return found

    def request_problem(self, operation: dict[str, Any], body: Any) -> str | None:
        """What is wrong with a request's body; fields the description does not know are wrong too."""
        content = self._resolve(operation.get("requestBody") or {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            return None if body in (None, {}) else "this request has no body"
        error = self._first_error(schema, {} if body is None else body)
        if error is not None:
            return error
        known = self._properties(schema)
        unknown = sorted(set(body or {}) - known) if isinstance(body, dict) and known else []
        return f"unknown fields: {', '.join(unknown)}" if unknown else None

    def answer_problem(self, operation: dict[str, Any], status: int, body: Any) -> str | None:
        """How an answer differs from the description, or None."""
        answer = self._resolve(operation["responses"].get(str(status)) or {})
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        return None if schema is None else self._first_error(schema, body)

    def example(self, method: str, template: str, status: int = 200) -> Any:
        """GitHub's first example of an answer, to be changed freely.

        Some examples lack fields that GitHub's own schema requires: they are filled in.
        """
        answer = self._resolve(self._spec["paths"][template][method]["responses"][str(status)])
        content = answer["content"]["application/json"]
        return self._complete(content["schema"], self._first_example(content["examples"]))

    def _complete(self, schema: dict[str, Any], value: Any) -> Any:
        schema = self._resolve(schema)
        for part in schema.get("allOf", []):
            value = self._complete(part, value)
        for part in schema.get("anyOf", schema.get("oneOf", []))[:1]:
            value = self._complete(part, value)
        if isinstance(value, list):
            return [self._complete(schema.get("items", {}), item) for item in value]
        if isinstance(value, dict):
            for name, inner in schema.get("properties", {}).items():
                if name in value:
                    value[name] = self._complete(inner, value[name])
                elif name in schema.get("required", ()):
                    value[name] = self._complete(inner, self._minimal(inner))
        return value

    def _minimal(self, schema: dict[str, Any]) -> Any:
        schema = self._resolve(schema)
        if schema.get("nullable"):
            return None
        if "enum" in schema:
            return schema["enum"][0]
        plain: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": []}
        texts = {"uri": "https://example.test/", "date-time": "2026-01-01T00:00:00Z"}
        if schema.get("format") in texts:
            return texts[schema["format"]]
        return plain.get(schema.get("type", "object"), {})

    def _first_example(self, examples: dict[str, Any]) -> Any:
        value = self._resolve(next(iter(examples.values())))
        value = self._resolve(value.get("value", value))
        return copy.deepcopy(value.get("value", value) if isinstance(value, dict) else value)

    def _first_error(self, schema: dict[str, Any], body: Any) -> str | None:
        validator = _Validator({**schema, "components": self._spec["components"]})
        error: ValidationError | None = next(iter(validator.iter_errors(body)), None)
        if error is None:
            return None
        return f"{'.'.join(map(str, error.absolute_path)) or 'body'}: {error.message[:200]}"

    def _properties(self, schema: dict[str, Any]) -> set[str]:
        schema = self._resolve(schema)
        known = set(schema.get("properties", {}))
        for part in ("oneOf", "anyOf", "allOf"):
            for each in schema.get(part, []):
                known |= self._properties(each)
        return known

    def _resolve(self, node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            found: Any = self._spec
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node
