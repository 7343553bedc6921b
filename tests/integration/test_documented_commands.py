"""Every command in README and tutorial is run: the tutorial's here, as it stands, the others where this says.

A command that nothing can run is named with its reason.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(
    r"^    ((?:make|export|pipx|uv|\.venv/bin/\w+|scenarist|[A-Z_]+=\S+) .*)$", re.MULTILINE
)
_NEEDS_A_MODEL = "tests/integration/test_run_command.py::test_an_issue_becomes_a_branch"

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_NAME = re.compile(r"[a-z-]+(?: [a-z-]+)*")

# A line of README -> the test that runs it, or why none does.
ELSEWHERE = {
    "make demo": 'scripts/install_check.sh (`make install-check ARGS="clone clone-user"`), in clean roots',
    "make test": "it is the command that runs this test",
    'make demo ARGS="--runtime local --model-url http://gpu-host:8000/v1"': (
        "tests/integration/test_demo.py::test_a_wrong_option_is_one_clear_line; a real model is a machine of its own"
    ),
    'SCENARIST_ANTHROPIC_API_KEY=… make demo ARGS="--runtime anthropic"': "it needs an account",
    "export SCENARIST_MODEL_URL=http://gpu-host:8000/v1": _NEEDS_A_MODEL,
    ".venv/bin/scenarist run --repo ~/src/shop --issue issue.md": _NEEDS_A_MODEL,
    "make setup && .venv/bin/uv build --wheel": "scripts/install_check.sh (`make install-check`)",
    "pipx install dist/scenarist-*.whl": "scripts/install_check.sh (`make install-check`)",
}
# The tutorial's last block needs a model.
_LAST = ("export SCENARIST_MODEL_URL=http://gpu-host:8000/v1", "scenarist run --issue issue.md")


def blocks() -> list[str]:
    return _BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text())


def test_each_command_of_the_readme_is_run_somewhere() -> None:
    found = _COMMAND.findall((ROOT / "README.md").read_text())
    commands = {re.sub(r"\s+#.*", "", line) for line in found}
    assert commands == set(ELSEWHERE)
    for where in ELSEWHERE.values():
        file, _, name = where.partition(" ")[0].partition(";")[0].partition("::")
        if "/" in file:
            assert f"def {name}" in (ROOT / file).read_text() if name else (ROOT / file).exists(), where


def known_commands() -> dict[str, set[str]]:
    """Return the options of each command, by its name without ``scenarist``."""
    sections = re.split(r"^## `scenarist ", (ROOT / "docs" / "cli.md").read_text(), flags=re.MULTILINE)[1:]
    found = [(_NAME.match(each), set(_OPTION.findall(each))) for each in sections]
    return {name[0]: options | {"--help"} for name, options in found if name is not None}


def is_known(shown: str, known: dict[str, set[str]]) -> bool:
    """Return whether the command `shown`, without ``scenarist``, and its options exist."""
    words = shown.split()
    if not words[0].islower() or words[0].startswith("-"):
        return True  # a placeholder, or an option of `scenarist` itself
    name = next((each for each in (" ".join(words[:2]), words[0]) if each in known), None)
    if name is None:
        return any(each.startswith(f"{words[0]} ") for each in known)
    return set(_OPTION.findall(shown.split(" -- ")[0])) <= known[name]


def test_every_command_in_the_documents_exists_with_its_options() -> None:
    shown: list[str] = []
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        text = page.read_text()
        shown += re.findall(r"`scenarist ([^`]+)`", text)
        shown += re.findall(r"^(?: {4})?(?:\.venv/bin/)?scenarist (\S[^#\n]*)", text, re.MULTILINE)
    known = known_commands()
    assert len(shown) > 100 and [each for each in shown if not is_known(each, known)] == []
    assert is_known("models check", known)
    assert not is_known("shop", known) and not is_known("runs --limits 3", known)


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    *run, last = blocks()
    assert (
        tuple(last.splitlines()) == _LAST
        and "test_an_issue_becomes_a_branch" in (ROOT / _NEEDS_A_MODEL.partition("::")[0]).read_text()
    )
    assert not re.findall(r"^```(?!sh\n|$)", (ROOT / "docs" / "tutorial.md").read_text(), re.MULTILINE)
    env = {name: value for name, value in os.environ.items() if not name.startswith("SCENARIST_")}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    env["HOME"] = str(tmp_path / "home")
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", "\n".join(run)],
        cwd=tmp_path / "here",
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for said in ("All of it holds.", "4 of 4 scenarios proven", "3 of 4 scenarios proven", "refused, as it"):
        assert said in done.stdout
    assert done.stdout.rstrip().endswith("It can be used.")
    assert (tmp_path / "here" / "bookshop" / ".scenarist.yml").exists()
