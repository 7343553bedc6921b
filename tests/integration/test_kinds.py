"""Runs on repositories without features, and runs that are no feature: what is in the pull request, and how
it is proven."""

from collections.abc import Iterator

import pytest

from bot.forges.forge import Repo
from runners.git.command import git
from tests.standins.chat_server import call
from tests.support.harness import CALC, DOUBLE_STEPS, BotUnderTest, draft, says

pytestmark = pytest.mark.xdist_group("kinds")  # one bot for all

PLAIN = {path: text for path, text in CALC.items() if not path.startswith("features/")}
STEPS = DOUBLE_STEPS.replace("import when", "import then, when") + (
    '\n\n@then("I get {n:d}")\ndef get(context, n):\n    assert context.result == n, context.result\n'
)
OWN_TEST = "import calc\n\n\ndef test_double():\n    assert calc.double(4) == 8\n"
DOUBLE = CALC["calc.py"] + "\n\ndef double(n):\n    return 2 * n\n"


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest() as started:
        yield started


def _begin(bot: BotUnderTest, name: str, files: dict[str, str], title: str, body: str, *labels: str) -> int:
    repo = bot.make_repo(name, files)
    number = bot.forge.open_issue(name, "ada", title, body).number
    for label in (*labels, "agent:implement"):
        bot.forge.add_label(repo.full_name, number, label, "ada")
    bot.idle()
    return number


def _changed(bot: BotUnderTest, name: str, branch: str) -> set[str]:
    path = bot.forge.path(name)
    return set(git("diff", "--name-only", "main", branch, git_dir=path).split())


def test_scenarios_stay_beside_the_change_where_behave_is_not_in_use(bot: BotUnderTest) -> None:
    code = (
        call("write_file", path="calc.py", content=DOUBLE),
        call("write_file", path=".scenarist/shadow/steps/double_steps.py", content=STEPS),
    )
    bot.script(
        [draft()],
        [
            says(*code),
            says(call("run_tests")),
            says(call("finish", summary="Doubles.")),
            # The verdict wants a test of its own.
            says(call("write_file", path="test_double.py", content=OWN_TEST)),
            says(call("finish", summary="Doubles, with a test.")),
        ],
    )
    asked = len(bot.chat.requests)
    name = "octo/plain"
    number = _begin(bot, name, PLAIN, "Double numbers", "It should double numbers: 4 becomes 8.")
    state = bot.finished(Repo(full_name=name), "issue", number)
    assert state.status == "done", state.reason
    assert state.spent.rounds == 2
    told = str(bot.chat.requests[asked:])
    assert "the change adds none that fails without it" in told
    assert "are not part of the change" in told
    assert state.prepared is not None and state.published is not None and state.verdict is not None
    assert _changed(bot, name, state.prepared.branch) == {"calc.py", "test_double.py"}
    pull = bot.forge.pull(Repo(full_name=name), state.published.pull)
    assert "not part of this change" in pull.body
    assert "Scenario: Doubling" in pull.body
    assert "The step definitions, which are not part of this change (1)" in pull.body
    assert "`steps/double_steps.py`" in pull.body and STEPS in pull.body
    assert "| new test | `test_double.py::test_double` | 🔴 failed | 🟢 passed |" in pull.body
    log = git("log", "--format=%B", f"main..{state.prepared.branch}", git_dir=bot.forge.path(name))
    assert "Specify" not in log

    # A revision finds the scenarios again.
    bot.script(
        [],
        [
            says(call("read_file", path=".scenarist/shadow/steps/double_steps.py")),
            says(call("write_file", path="calc.py", content=DOUBLE.replace("2 * n", "n + n"))),
            says(call("finish", summary="Adds now.")),
        ],
    )
    bot.forge.submit_review(name, state.published.pull, "ada", "Please add instead.", [])
    bot.idle()
    revised = bot.finished(Repo(full_name=name), "pull", state.published.pull)
    assert revised.status == "done", revised.reason
    assert revised.verdict is not None and revised.verdict.shadow
    assert [proof.proven for proof in revised.verdict.scenarios] == [True]
    assert _changed(bot, name, state.prepared.branch) == {"calc.py", "test_double.py"}


def test_a_chore_needs_no_scenario(bot: BotUnderTest) -> None:
    bot.script(
        [],
        [
            says(call("write_file", path="README.md", content="# Calculator\n")),
            says(call("finish", summary="Mended.")),
        ],
    )
    name = "octo/chore"
    files = {**CALC, "README.md": "# Calcualtor\n"}
    number = _begin(bot, name, files, "Fix the typo in the README", "", "documentation")
    state = bot.finished(Repo(full_name=name), "issue", number)
    assert state.status == "done", state.reason
    assert state.prepared is not None and state.published is not None
    assert _changed(bot, name, state.prepared.branch) == {"README.md"}
    body = bot.forge.pull(Repo(full_name=name), state.published.pull).body
    assert "Documentation only: nothing but documentation" in body
    assert "| scenario |" not in body


def test_a_chore_that_changes_behaviour_is_refused(bot: BotUnderTest) -> None:
    bot.script(
        [],
        [
            says(call("write_file", path="calc.py", content=DOUBLE)),
            *[says(call("finish", summary=f"Done {number}.")) for number in range(6)],
        ],
    )
    name = "octo/nochore"
    number = _begin(bot, name, dict(CALC), "docs: double numbers in the manual", "Doubling too.")
    state = bot.finished(Repo(full_name=name), "issue", number)
    assert state.status == "gave_up"
    assert state.verdict is not None
    assert {each.code for each in state.verdict.problems} == {"not-a-chore"}


def test_a_refactoring_keeps_what_there_is(bot: BotUnderTest) -> None:
    tidier = "def add(first, second):\n    return first + second\n"
    bot.script(
        [draft("Adding zero", ("When", "I add 0 and 2"), ("Then", "I get 2"))],
        [
            says(call("write_file", path="calc.py", content=tidier)),
            says(call("finish", summary="Clearer names.")),
        ],
    )
    asked = len(bot.chat.requests)
    name = "octo/tidy"
    text = "The arguments of `add` should be called first and second; 0 and 2 still give 2."
    number = _begin(bot, name, dict(CALC), "Refactor add", text)
    state = bot.finished(Repo(full_name=name), "issue", number)
    assert state.status == "done", state.reason
    assert "must pass on the present code" in str(bot.chat.requests[asked])
    assert state.verdict is not None
    assert [(each.base, each.head) for each in state.verdict.scenarios] == [("passed", "passed")]
    assert state.published is not None
    assert "This is a refactoring" in bot.forge.pull(Repo(full_name=name), state.published.pull).body
