"""What is wrong with a value, in words for people."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gherkin.validation import first_problem


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = Field(default=1, ge=1, le=9)


class Outer(BaseModel):
    names: tuple[str, ...] = ()
    inner: tuple[Inner, ...] = ()
    kind: Literal["a", "b", "c"] = "a"
    on: bool = True
    text: str = Field(default="x", min_length=1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"names": "a"}, "names should be a list"),
        ({"names": ["a", 1]}, "names[1] should be text"),
        ({"inner": ["a"]}, "inner[0] should hold keys and values"),
        ({"inner": [{"size": 0}]}, "inner[0].size should be at least 1"),
        ({"inner": [{"size": 10}]}, "inner[0].size should be at most 9"),
        ({"inner": [{"size": "many"}]}, "inner[0].size should be a whole number"),
        ({"inner": [{"sise": 1}]}, "inner[0].sise is not known here"),
        ({"kind": "d"}, "kind should be one of 'a', 'b', 'c'"),
        ({"on": "perhaps"}, "on should be true or false"),
        ({"text": ""}, "text should not be empty"),
        ([], "the file should hold keys and values"),
    ],
)
def test_no_word_of_the_program_is_in_the_message(given: Any, said: str) -> None:
    with pytest.raises(ValidationError) as error:
        Outer.model_validate(given)
    assert first_problem(error.value, "the file") == said
