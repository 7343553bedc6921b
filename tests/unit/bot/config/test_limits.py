from pathlib import Path

import pytest

from bot.config.limits import LimitsInvalid, load_limits, secret
from bot.config.repository import ConfigInvalid, parse_config
from gherkin.yamlfile import Source
from runners.contract.operator_limits import OperatorLimits

EXAMPLE = """
allow: [files.*, git.*, shell.run, "http.get:*.example.com", "database.read:main"]
deny: ["files.write:deploy/**"]
protected: [LICENSE]
quotas:
  run: {tool_calls: 100}
databases:
  main: {env: MAIN_DSN}
container_engine: [podman, --runtime=runc]
"""


def load(tmp_path: Path, text: str) -> OperatorLimits:
    path = tmp_path / "limits.yml"
    path.write_text(text)
    return load_limits(path)


def test_a_file(tmp_path: Path) -> None:
    limits = load(tmp_path, EXAMPLE)
    assert limits.quotas.run.tool_calls == 100 and limits.quotas.phase.tool_calls == 500
    assert limits.databases["main"].env == "MAIN_DSN"
    assert limits.grants.deny == ("files.write:deploy/**",)


def test_without_one_nothing_leaves_the_workspace() -> None:
    assert load_limits(None).allow == ("files.*", "git.*", "shell.*", "tests.*", "mcp.*")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("allow: [shell.runs]", "limits.yml line 1: allow[0]: `shell.runs` is no capability"),
        (
            "deny: []\nalow: []",
            "limits.yml line 2: alow is not known here. Known keys: allow, allowances, candidates, container",
        ),
        (
            "quotas:\n  run:\n    calls: 3",
            "line 3: quotas.run.calls is not known here. Known keys: cpu_",
        ),
        ("quotas:\n  run:\n    tool_calls: 0", "line 3: quotas.run.tool_calls should be at least 1"),
        ("databases:\n  main: {}", "line 2: databases.main: give either `env` or `file`"),
        (
            "container_engine: [nerdctl]",
            "line 1: container_engine: the first word must be docker",
        ),
        ("a: [", "line 1"),
        ("- a", "must hold keys and values"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(LimitsInvalid) as error:
        load(tmp_path, text)
    assert says in error.value.message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LimitsInvalid, match="cannot be read"):
        load_limits(tmp_path / "none.yml")


def test_secrets_come_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIN_DSN", "postgresql://x")
    (tmp_path / "dsn").write_text("redis://y\n")
    assert secret("main", Source(env="MAIN_DSN"), LimitsInvalid) == "postgresql://x"
    assert secret("main", Source(file=tmp_path / "dsn"), LimitsInvalid) == "redis://y"
    for source in (Source(env="NOT_SET"), Source(file=tmp_path / "none")):
        with pytest.raises(LimitsInvalid, match="databases.main"):
            secret("databases.main", source, LimitsInvalid)


def test_a_repository_names_its_tools_and_quotas() -> None:
    config = parse_config('tools: {role: full, allow: ["http.get:a.org"]}\nquotas: {phase: {tool_calls: 9}}')
    assert config.tools.role == "full" and config.quotas.phase.tool_calls == 9
    with pytest.raises(ConfigInvalid, match="line 2: tools.allow\\[0\\]"):
        parse_config("tools:\n  allow: [htpp.get]")
    with pytest.raises(ConfigInvalid, match="line 1: tools.role"):
        parse_config("tools: {role: read}")
