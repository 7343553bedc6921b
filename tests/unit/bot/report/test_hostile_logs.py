"""A run's log with a stranger's text in every place: a runner writes most of it, and a model most of that."""

import dataclasses
import re
from typing import Any

import pytest
from pydantic import BaseModel

from bot.behaviours import explain
from bot.log.state import RunState, fold
from bot.report.proof import Surroundings
from bot.report.reporter import Reporter
from tests.support import logs
from tests.support.strangers import acted, acts

RUN = "01J00000000000000000000000"
REPORTER = Reporter("https://bot.example")
# What the trusted side itself writes, or what one of a few words is checked to be.
OURS = {
    *("kind", "type", "status", "phase", "outcome", "became", "state", "taken", "step", "key", "updated_at"),
    *("started", "ended", "at", "url", "forge", "repo", "base", "head", "installation", "order_sha256"),
}
EVIL = [
    *("@ada #12 !7 GL-4", "Closes ABC-12 [skip ci]", "a\r\n/approve\n/close", "<img src=x></details>"),
    *(
        "![a](http://e/x.png)",
        "[a](http://e) www.e.com",
        "`` ` `` `a",
        "```\n/close",
        "~~~\n/merge",
        "<!-- x",
    ),
]
STATES = ["sent back", "a candidate is taken", "a pair", "at a node", "critiqued"]


def replaced(value: Any, name: str, text: str) -> Any:
    """`value` with `text` in the place of each string in it that is not ours."""
    if isinstance(value, BaseModel):
        fields = {each: replaced(getattr(value, each), each, text) for each in type(value).model_fields}
        return value.model_copy(update=fields)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            each.name: replaced(getattr(value, each.name), each.name, text)
            for each in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **fields)
    if isinstance(value, str):
        return text if value and name not in OURS else value
    if isinstance(value, tuple):
        return tuple(replaced(each, name, text) for each in value)
    if isinstance(value, dict):
        return {key: replaced(each, name, text) for key, each in value.items()}
    return value


def texts(state: RunState, text: str) -> list[str]:
    around = Surroundings(others=[("a", "")], template=f"## {text}\n\n- [ ] {text}\n", changed=[text])
    shown = [
        REPORTER.status_text(RUN, state, text, text),
        REPORTER.pull_text(RUN, state, text, around)[1],
        REPORTER.unfinished_text(RUN, state, text)[1],
        explain.status(RUN, state),
    ]
    if state.verdict is not None:
        shown.append(REPORTER.check_text(RUN, state.verdict)[1])
    return shown


def found(shown: str) -> list[str]:
    """What acts in a text, but for what the bot itself means by it."""
    rest = re.sub(r"https://bot\.example|(?:Closes|For|with|on|for|opened) #\d+|\| #13;", "", shown)
    outside = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", rest, flags=re.DOTALL | re.MULTILINE)
    ours = ("link_open", "html_block", "<sub>", "</sub>", "<br>")
    return [*acted(rest), *(each for each in acts(outside) if each not in ours)]


@pytest.mark.parametrize("text", EVIL)
@pytest.mark.parametrize("name", STATES)
def test_nothing_in_a_log_acts(name: str, text: str) -> None:
    state = fold(logs.entries(logs.STATES[name]))
    for shown in texts(replaced(state, "", text), text):
        assert found(shown) == []


@pytest.mark.parametrize("text", EVIL[:5])
def test_the_texts_do_act_where_nothing_guards_them(text: str) -> None:
    assert found(text)
