"""The examples in the documentation are those that the demo's run gives, and all there are."""

import hashlib

import pytest

from bot.log.events import Entry
from bot.log.state import fold
from scripts.examples import RECORDING, examples, feature_of
from scripts.make_docs import DOCS
from tests.support import gfm

EXAMPLES = examples()


def test_each_example_is_what_the_demo_gives_and_there_are_no_others() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "examples").glob("*.md")}
    assert found == {name: text.rstrip() + "\n" for name, text in EXAMPLES.items()}


def test_the_scenarios_shown_are_those_that_were_locked() -> None:
    log = [Entry.model_validate_json(line) for line in RECORDING.read_text(encoding="utf-8").splitlines()]
    spec = fold(log).spec
    assert spec is not None and hashlib.sha256(feature_of(log).encode()).hexdigest() == spec.sha256


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("status-working.md", "is writing the code"),
        ("status-approval.md", "is waiting for an answer"),
        ("question-approval.md", "@ada, please approve these scenarios"),
        ("status-answer.md", "is waiting for an answer"),
        ("question-answer.md", "@ada, I need an answer"),
        ("status-gave-up.md", "gave up"),
        ("status-failed.md", "could not go on"),
        ("status-opened.md", "opened #"),
        ("pull-request.md", "The change, in the words of the model that wrote it"),
    ],
)
def test_each_example_begins_with_what_matters(name: str, says: str) -> None:
    assert says in gfm.words(EXAMPLES[name]).partition("\n\n")[0]


def test_the_index_links_every_example() -> None:
    linked = {name for name in EXAMPLES if f"({name})" in EXAMPLES["README.md"]}
    assert linked == EXAMPLES.keys() - {"README.md"}
