"""`scenarist domain`, with a model that completes the draft over HTTP."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gherkin.domain.language import Context, Domain, Term, load
from runners.models.chat import Reply
from tests.standins.chat_server import ChatServer
from tests.support.waiting import HANG_S

ORDER = "class Order:\n    id: int\n\n\nclass Basket:\n    '''What will be bought.'''\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    (tmp_path / "repo/shop").mkdir(parents=True)
    (tmp_path / "repo/shop/order.py").write_text(ORDER)
    (tmp_path / "repo/README.md").write_text("Every customer has one basket; people used to say cart.\n")
    (tmp_path / "repo/.venv").mkdir()
    (tmp_path / "repo/.venv/other.py").write_text("class Other: ...\n")
    return tmp_path / "repo"


def domain(repo: Path, url: str = "", *more: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "SCENARIST_MODEL_URL": url, "SCENARIST_STATE_DIR": str(repo.parent / "state")}
    command = [sys.executable, "-m", "bot", "domain", "--repo", str(repo), *more]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=HANG_S)


def said(term: str, **more: Any) -> dict[str, Any]:
    return {"term": term, "meaning": "", "kind": "", "avoid": [], "invariants": [], **more}


def test_without_a_model_it_is_what_the_code_says(repo: Path) -> None:
    done = domain(repo)
    assert done.returncode == 0, done.stderr
    assert load(done.stdout) == Domain(
        contexts=(Context(name="shop", paths=("shop/**",)),),
        terms=(
            Term(term="Order", kind="entity", context="shop", where=("shop/order.py",)),
            Term(term="Basket", meaning="What will be bought.", context="shop", where=("shop/order.py",)),
        ),
    )


def test_a_model_fills_in_what_the_code_does_not_say_and_changes_nothing(repo: Path) -> None:
    answer = {
        "contexts": [{"name": "shop", "summary": "What is\nsold."}, {"name": "moon", "summary": "No."}],
        "terms": [
            said("Basket", meaning="Something else.", kind="aggregate", avoid=["cart"]),
            said("order", meaning="A promise.", kind="event", invariants=["It has an id.", " "]),
            said("customer", meaning="Who buys."),
            said("warehouse", meaning="It stands nowhere."),
        ],
    }
    with ChatServer([Reply(text=json.dumps(answer))], []) as server:
        done = domain(repo, server.url, "--model")
        (request,) = server.requests
    assert done.returncode == 0, done.stderr
    shown = request["messages"][1]["content"]
    assert "people used to say cart" in shown and "term: Basket" in shown and "Other" not in shown
    assert load(done.stdout) == Domain(
        contexts=(Context(name="shop", paths=("shop/**",), summary="What is sold."),),
        terms=(
            Term(
                term="Order",
                kind="entity",
                meaning="A promise.",
                invariants=("It has an id.",),
                context="shop",
                where=("shop/order.py",),
            ),
            Term(
                term="Basket",
                kind="aggregate",
                meaning="What will be bought.",
                avoid=("cart",),
                context="shop",
                where=("shop/order.py",),
            ),
            Term(term="customer", meaning="Who buys."),
        ),
    )


@pytest.mark.parametrize(
    "answer",
    [
        "No.",
        "[]",
        '{"contexts": []}',
        json.dumps({"contexts": [], "terms": [said("x", kind="thing")]}),
        json.dumps({"contexts": [], "terms": [said("x", avoid="y")]}),
    ],
)
def test_an_answer_that_is_none_is_said_with_a_code(repo: Path, answer: str) -> None:
    with ChatServer([Reply(text=answer)], []) as server:
        done = domain(repo, server.url, "--model")
    assert (done.returncode, done.stdout) == (2, "") and "SCN-7016" in done.stderr, done.stderr
