"""JSON answers as models give them, and the form that prompts ask for."""

from typing import Any

import pytest

from gherkin.feature.draft import FEATURE_SCHEMA
from runners.loop.asking import ask, with_form
from runners.models.chat import Message, Reply
from runners.models.json_answers import NotJson, form_of, read_json
from runners.models.probe import Profile
from runners.models.roster import Engine


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "{x}"}',
        '```json\n{"a": "{x}"}\n```',
        'Here it is:\n\n```\n{"a": "{x}"}\n```\nI hope it helps.',
        'Sure! {"a": "{x}"} That is all.',
        '<think>Maybe {"a": 1}?</think>\n{"a": "{x}"}',
        'The set {1} and {"b"}: {"a": "{x}"}',
    ],
)
def test_an_object_is_read_bare_fenced_or_behind_words(text: str) -> None:
    assert read_json(Reply(text=text)) == {"a": "{x}"}


def test_line_ends_inside_of_strings_are_read() -> None:
    assert read_json(Reply(text='{"a": "one\ntwo"}')) == {"a": "one\ntwo"}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(text=""), "is empty"),
        (Reply(text='{"a": "b'), "not one JSON object: Unterminated string"),
        (Reply(text='{"a": "b', stop="length"), "cut off by the length limit"),
        (Reply(text="[1]"), "It is a list, not an object"),
        (Reply(text="I cannot."), "not one JSON object"),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong(reply: Reply, said: str) -> None:
    with pytest.raises(NotJson, match=said):
        read_json(reply)


def test_the_form_names_every_key_and_the_words_to_choose_from() -> None:
    form = form_of(FEATURE_SCHEMA)
    assert form.startswith('{"name": "What the feature is, in a few words.", "narrative": {"as_a": "…"')
    assert '"keyword": "Given" | "When" | "Then" | "And" | "But"' in form
    assert '"table": null or {"headings": ["…", …], "rows": [["…", …], …]}' in form and len(form) < 900


class Model:
    """Keeps what it was asked."""

    name = "m"

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def reply(self, messages: Any, tools: Any = (), **more: Any) -> Reply:
        self.asked = {"messages": messages, **more}
        return Reply(text="{}")


def profile(*, keeps: bool) -> Profile:
    return Profile(
        deployment="d",
        tools="native",
        found="",
        called=True,
        parallel=True,
        schema_output=keeps,
        leaks=False,
        context_length=0,
        seconds=0,
    )


@pytest.mark.parametrize("keeps", [True, False])
def test_a_server_that_holds_to_no_schema_is_sent_none(keeps: bool) -> None:
    model = Model()
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    messages = [Message(role="system", text="Rules.\n"), Message(role="user", text="Do.")]
    ask(Engine("r", model, profile=profile(keeps=keeps)), "specify", messages, schema=schema)
    assert model.asked["schema"] == (schema if keeps else None)
    assert model.asked["messages"] == with_form(messages, schema)
    assert model.asked["messages"][0].text == (
        'Rules.\n\nAnswer with one JSON object of this form, and nothing else:\n{"a": "…"}\n'
    )
