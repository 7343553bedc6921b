"""Writes docs/examples/real: what people are shown of one run on a real project.

What `scenarist run` does is done for an issue of our own on inflection, fetched from the package registry, with
a scripted model.
Only our own texts are written: the issue, the scenarios, the comment and the text of the pull request. The diff
is left out, because it shows lines of the project.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from bot.config.settings import Settings
from bot.worker.local_runs import LocalRuns
from bot.worker.worker import make_reporter
from runners.git.workspaces import SHADOW
from runners.models.chat import Reply
from tests.real.projects import load, repository
from tests.standins.chat_server import ChatServer, Turn, call
from tests.support.harness import says

FOLDER = Path(__file__).parents[2] / "docs" / "examples" / "real"
PROJECT = "inflection"
_TITLE = "Initials of a phrase"
_BODY = """As a developer I want the initials of a phrase, so that lists of people and products can show them.

`inflection.initials("employee salary")` gives `"ES"`: the first letter of each word, in upper case. Underscores and
dashes part words as blanks do (`"active_model-errors"` gives `"AME"`), and signs around a word do not count
(`"employee, (salary)!"` gives `"ES"`).
"""
_SCENARIOS = (
    ("The initials of a phrase", "employee salary", "ES"),
    ("Underscores and dashes part words", "active_model-errors", "AME"),
    ("Signs around words do not count", "employee, (salary)!", "ES"),
)
_CODE = '''

def initials(phrase: str) -> str:
    """
    Return the first letters of the words in ``phrase``, in upper case.

    Examples::

        >>> initials("employee_salary")
        'ES'

    """
    return "".join(word[0] for word in re.findall(r"[^\\W_]+", phrase)).upper()
'''
_TEST = """

@pytest.mark.parametrize(("phrase", "found"), [
    ("employee salary", "ES"),
    ("active_model-errors", "AME"),
    ("", ""),
])
def test_initials(phrase, found):
    assert inflection.initials(phrase) == found
"""
_STEPS = """from behave import then, when

import inflection


@when('I ask for the initials of "{phrase}"')
def asks(context, phrase):
    context.initials = inflection.initials(phrase)


@then('the initials are "{initials}"')
def found(context, initials):
    assert context.initials == initials, context.initials
"""


def main() -> int:
    """Do the run and write its texts; returns 0 if the change was proven."""
    os.environ["LOGNAME"] = "ada"  # who asks for the run
    project = next(each for each in load() if each.name == PROJECT)
    with tempfile.TemporaryDirectory(prefix="scn-") as folder, ChatServer([_draft()], _work()) as server:
        server.examples = _examples()
        clone, state_dir = Path(folder) / PROJECT, Path(folder) / "state"
        clone.mkdir()
        repository(project, clone)
        settings = Settings(state_dir=state_dir, model_url=server.url, model_name="scripted")
        runs = LocalRuns(settings, clone, "HEAD")
        run_id = runs.begin(_TITLE, _BODY, 12)
        state = runs.work(run_id, Console())
        feature = runs.feature(run_id)
        pull = runs.pull(state)
        if state.status != "done" or pull is None:
            print(state.reason)
            return 1
        comment = make_reporter(settings).status_text(run_id, state, feature)
        texts = {
            "README.md": _index(f"{project.name} {project.version}", pull.title),
            "issue.md": f"# {_TITLE}\n\n{_BODY}",
            "scenarios.md": f"```gherkin\n{feature.rstrip()}\n```\n",
            "status-opened.md": comment,
            "pull-request.md": pull.body,
        }
    write(texts)
    return 0


def write(texts: Mapping[str, str]) -> None:
    """Write the texts, by their file names, into docs/examples/real."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (FOLDER / name).write_text(text.rstrip() + "\n", encoding="utf-8")


def _index(version: str, title: str) -> str:
    return f"""# One run on a real project

<!-- Written by `make real-example`; do not edit. -->

The run did an issue of our own on [{PROJECT}](https://pypi.org/project/{PROJECT}/) ({version}, MIT licence), as `scenarist run` does it. The
model is scripted: its answers were written beforehand. Everything else is real: the environment, the project's own tests, the verdict. The diff
is not shown, because it holds lines of the project.

| text | |
|---|---|
| [issue](issue.md) | what somebody asked for |
| [scenarios](scenarios.md) | what was locked before code was written |
| [status comment](status-opened.md) | the comment on the issue at the end |
| [pull request](pull-request.md) | its title is *{title}* |
"""


def _draft() -> Turn:
    scenarios = [
        {
            "name": name,
            "steps": [
                {"keyword": "When", "text": f'I ask for the initials of "{phrase}"'},
                {"keyword": "Then", "text": f'the initials are "{initials}"'},
            ],
        }
        for name, phrase, initials in _SCENARIOS
    ]
    narrative = {
        "as_a": "developer",
        "i_want": "the initials of a phrase",
        "so_that": "lists of people and products can show them",
    }
    feature = {"name": _TITLE, "narrative": narrative, "scenarios": scenarios, "questions": []}
    return Reply(text=json.dumps(feature))


def _examples() -> Turn:
    rows = [
        {
            "scenario": _SCENARIOS[0][0],
            "steps": [f'When I ask for the initials of "{phrase}"', f'Then the initials are "{initials}"'],
        }
        for phrase, initials in (("very important person", "VIP"), ("as soon as possible", "ASAP"))
    ]
    return Reply(text=json.dumps({"examples": rows}))


def _work() -> list[Turn]:
    append = "cat >> {path} <<'END'\n{text}END"
    return [
        says(call("search", pattern="^def ", path=PROJECT)),
        says(
            call("shell", command=append.format(path=f"{PROJECT}/__init__.py", text=_CODE)),
            call("shell", command=append.format(path="test_inflection.py", text=_TEST)),
            call("write_file", path=f"{SHADOW}/steps/initials_steps.py", content=_STEPS),
        ),
        says(call("run_tests")),
        says(
            call(
                "finish",
                summary="Adds `inflection.initials`, which gives the first letters of a phrase's words in upper "
                "case. Underscores and dashes part words as blanks do; other signs do not count. The project's "
                "own tests cover an empty phrase, too.",
            )
        ),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
