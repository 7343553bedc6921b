"""Find the command that runs a Python repository's tests if that is not pytest.

This is Django's runner, or a script of the repository's own.
"""

import re

from runners.environment.finding.sources import Sources, parent, table
from runners.verify.suites.foreign import PYTHON, TestSuite

_SCRIPTS = ("runtests.py", "run_tests.py", "tests/runtests.py", "tests/run_tests.py", "test/runtests.py")
_RUNS_UNITTEST = re.compile(
    r"DiscoverRunner|get_runner\(|unittest\.(main|TextTestRunner)|TextTestRunner\(|"
    r"(call_command|execute_from_command_line)\([^)]*['\"]test['\"]"
)
_PYTEST = re.compile(r"\bpytest\b|\bpy\.test\b")
# Where commands that run tests are written, those that are most often kept up to date first.
_TOLD_IN = re.compile(
    r"(tox\.ini|tox\.toml|noxfile\.py|setup\.cfg|pyproject\.toml|Makefile|justfile|\.gitlab-ci\.yml|"
    r"\.travis\.yml|\.github/workflows/[^/]+\.ya?ml)"
)
_WORD = r"(?!-m\b)[\w./=:@+-]+"
_COMMAND = re.compile(
    r"(?:python[\d.]*|\{envpython\}|coverage run(?: -[-\w=.]+)*|\bpy)(?: -[WX] ?\S+| -W\{[^}]*\}| -\w+)*? "
    rf"(?P<what>(?:-m django test|(?:\./)?\S*manage\.py test|(?:\./)?\S*run_?tests\.py)(?: {_WORD})*)"
    rf"|django-admin(?:\.py)? test(?P<admin>(?: {_WORD})*)"
)


def found_command(sources: Sources) -> TestSuite | None:
    """Return the suite that a repository's own command runs; None if it uses pytest, or says nothing."""
    if _uses_pytest(sources):
        return None
    for path in sorted(filter(_TOLD_IN.fullmatch, sources.paths), key=_rank):
        text = re.sub(r"(?:[\"',\[\] \t]|\\\n)+", " ", sources.glance(path))
        found = next(map(_suite, _COMMAND.finditer(text)), None)
        if found is not None and _can_be_run(found, sources):
            return found
    script = next((path for path in _SCRIPTS if _RUNS_UNITTEST.search(sources.glance(path))), "")
    if script:
        return TestSuite(name=script.rpartition("/")[2], command=f"{PYTHON} {script}", format="unittest")
    return _of_django(sources)


def _rank(path: str) -> tuple[bool, str]:
    return ("/" in path, path)


def _uses_pytest(sources: Sources) -> bool:
    """Return whether pytest is configured, or the repository has files of its own for pytest."""
    names = {path.rpartition("/")[2] for path in sources.paths}
    configured = (
        bool(table(sources.toml("pyproject.toml"), "tool", "pytest"))
        or sources.ini("setup.cfg").has_section("tool:pytest")
        or sources.ini("tox.ini").has_section("pytest")
    )
    return configured or bool(names & {"pytest.ini", ".pytest.ini", "conftest.py"})


def _suite(match: re.Match[str]) -> TestSuite:
    if match["admin"] is not None:
        words = f"-m django test{match['admin']}"
    else:
        words = re.sub(r"(^|\s)\./", r"\1", match["what"])
    # What writes reports of its own, or runs tests in other processes, is not needed.
    words = re.sub(r" --test-?runner[= ]\S*[Xx][Mm][Ll]\S*", "", words)
    words = re.sub(r" (?:--parallel|-j)(?:[= ]?(?:\d+|auto))?(?= |$)", "", words)
    script = re.search(r"[\w-]+\.py", words)
    name = "django" if script is None else script[0] + (" test" if script[0] == "manage.py" else "")
    return TestSuite(name=name, command=f"{PYTHON} {words}", format="unittest")


def _can_be_run(suite: TestSuite, sources: Sources) -> bool:
    """Return whether the script of a command exists and does not start pytest."""
    script = re.search(r"\S+\.py", suite.command)
    return script is None or (script[0] in sources and not _PYTEST.search(sources.glance(script[0])))


def _of_django(sources: Sources) -> TestSuite | None:
    """Return ``manage.py test`` of a Django project with tests, in the folder of its manage.py."""
    manage = sorted((path for path in sources.paths if path.rpartition("/")[2] == "manage.py"), key=len)
    if not manage or parent(manage[0]).count("/") > 1 or "django" not in sources.glance(manage[0]):
        return None
    if any(_PYTEST.search(sources.glance(path)) for path in filter(_TOLD_IN.fullmatch, sources.paths)):
        return None
    folder = parent(manage[0])
    go = f"cd {folder} && " if folder else ""
    return TestSuite(name="manage.py test", command=f"{go}{PYTHON} manage.py test", format="unittest")
