"""Runs the demo: starts every real part, acts as the maintainer, shows the run, and checks the result
independently."""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.syntax import Syntax

from bot.config.models import require_models
from bot.config.settings import Settings, SettingsInvalid
from bot.demo.check import check_branch
from bot.forges.forge import Repo
from bot.forges.local.adapter import LocalForge
from bot.forges.local.people import http_sender
from bot.log.state import RunState
from bot.report.terminal import follow, readable
from bot.storage.database import migrate
from bot.storage.store import open_store
from bot.worker.machine import environment, start_all
from bot.worker.processes import (
    is_ready,
    listen,
    processes,
    sigterm_interrupts,
    start_redis,
    url_of,
    wait_for,
)
from gherkin.errors import ScenaristError
from runners.git.command import git
from runners.models.roster import RuntimeIncomplete
from runners.sandbox.availability import available
from runners.sandbox.scratch import make_state_folder

_HERE = Path(__file__).parent
_REPO = "demo/bookshop"
_MAINTAINER = "ada"
_SECRET = "demo-webhook-secret"  # noqa: S105 - a loopback demo's own
# The run takes seconds; this only ends one that hangs.
_PATIENCE_S = 600.0
_MODEL_PATIENCE_S = 3600.0


class DemoFailed(ScenaristError):
    """The demo ended without its pull request."""

    code = "SCN-7101"
    next_step = "Run it again with --keep FOLDER and read FOLDER/logs."


@dataclass(frozen=True)
class DemoOptions:
    """What the command line said; `runtime` is replay, local or anthropic."""

    runtime: str = "replay"
    model_url: str = ""
    model: str = ""
    keep: Path | None = None
    as_json: bool = False
    unsafe_no_sandbox: bool = False


def run_demo(options: DemoOptions) -> int:
    """Run it; returns the exit status: 0 when the pull request is there and its branch holds what it says."""
    console = Console(stderr=options.as_json, highlight=False)
    problem = None if options.unsafe_no_sandbox else available()
    if problem:
        raise DemoFailed(f"The sandbox does not work here: {problem}")
    started = time.monotonic()
    with sigterm_interrupts(), _state_dir(options.keep) as state_dir:
        settings = _settings(options, state_dir)
        if options.runtime != "replay":
            require_models(settings)
        store = open_store(settings.database)
        migrate(store.engine)
        with listen("127.0.0.1", 0) as listener, processes(state_dir / "logs") as group:
            url = url_of(listener)
            console.print("Starting Redis, the web app and three workers …", style="dim")
            env = environment(settings, start_redis(group, state_dir / "redis"))
            env["SCENARIST_PUBLIC_URL"] = url
            start_all(group, env, listener)
            wait_for(lambda: is_ready(url), group, "The web app")
            forge = LocalForge(
                store.engine,
                state_dir / "forge",
                send=http_sender(f"{url}/webhooks/local"),
                secret=_SECRET.encode(),
            )
            number = _open_issue(forge, console)
            patience = _PATIENCE_S if options.runtime == "replay" else _MODEL_PATIENCE_S
            target = f"local:{_REPO}:issue:{number}"

            def goes_on(state: RunState, run_id: str) -> bool:
                group.check()
                return state.status == "active" or not store.reports.is_current(run_id)

            run_id, state = follow(
                store,
                console,
                lambda: next((row.id for row in store.list_runs(target=target)), ""),
                goes_on,
                patience,
            )
        result = _result(forge, run_id, state, number, state_dir)
        result["seconds"] = round(time.monotonic() - started, 1)
        if options.as_json:
            sys.stdout.write(json.dumps(result, indent=2) + "\n")
        else:
            _show(console, forge, state, result, kept=options.keep is not None)
    return 0 if result["ok"] else 1


@contextmanager
def _state_dir(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise DemoFailed(f"{keep} is not empty.")
        make_state_folder(keep)
        yield keep.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="scenarist-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settings(options: DemoOptions, state_dir: Path) -> Settings:
    if options.runtime not in ("replay", "local", "vllm", "anthropic"):
        raise SettingsInvalid(f"--runtime {options.runtime} is not one of replay, local, anthropic.")
    base = Settings()
    changes: dict[str, object] = {
        "state_dir": state_dir,
        "database_url": "",
        "runtime": options.runtime,
        "models_file": None,
        "recording": _HERE / "recording.jsonl",
        "reap_seconds": 1.0,
        "unsafe_no_sandbox": options.unsafe_no_sandbox or base.unsafe_no_sandbox,
        "trigger_label": "agent:implement",
    }
    if options.runtime == "anthropic" and not base.anthropic_api_key.get_secret_value():
        raise RuntimeIncomplete("SCENARIST_ANTHROPIC_API_KEY is not set.")
    if options.model_url:
        changes["model_url"] = options.model_url
    if options.model:
        changes["model_name"] = options.model
    settings = base.model_copy(update=changes)
    return Settings(**{**settings.model_dump(), "local_webhook_secret": _SECRET})


def _open_issue(forge: LocalForge, console: Console) -> int:
    """Make the sample repository, open the issue, set the label: what a maintainer does."""
    forge.create_repo(_REPO, {_MAINTAINER: "admin"})
    path = forge.path(_REPO)
    with tempfile.TemporaryDirectory(prefix="scenarist-sample-") as tmp:
        tree = Path(tmp) / "bookshop"
        shutil.copytree(_HERE / "project", tree, ignore=shutil.ignore_patterns("__pycache__"))
        (tree / "gitignore.txt").rename(tree / ".gitignore")
        git("add", "--all", git_dir=path, work_tree=tree)
        git("commit", "--quiet", "--message", "A small bookshop", git_dir=path, work_tree=tree)
    title, _, body = (_HERE / "issue.md").read_text(encoding="utf-8").partition("\n")
    issue = forge.open_issue(_REPO, _MAINTAINER, title, body.strip())
    console.print(f"[bold]{_MAINTAINER}[/] opened issue #{issue.number}: [bold]{title}[/]")
    forge.add_label(_REPO, issue.number, "agent:implement", _MAINTAINER)
    console.print(f"[bold]{_MAINTAINER}[/] set the label [bold]agent:implement[/]\n")
    return issue.number


def _result(
    forge: LocalForge, run_id: str, state: RunState, number: int, state_dir: Path
) -> dict[str, object]:
    """What came of it, with an independent look at the branch."""
    result: dict[str, object] = {
        "run": run_id,
        "status": state.status,
        "issue": number,
        "repository": str(forge.path(_REPO)),
        "reason": state.reason,
        "ok": False,
    }
    if state.published is None or state.verdict is None:
        return result
    repo = Repo(full_name=_REPO)
    pull = forge.pull(repo, state.published.pull)
    checked = check_branch(forge.path(_REPO), pull.head, state.spec.path if state.spec else "")
    checks = forge.checks(repo, pull.head_sha)
    result |= {
        "pull": pull.number,
        "branch": pull.head,
        "commit": pull.head_sha,
        "title": pull.title,
        "scenarios": [
            {"name": proof.name, "before": proof.base, "after": proof.head}
            for proof in state.verdict.scenarios
        ],
        "check": checks[0].state if checks else "missing",
        "independent": asdict(checked),
    }
    result["ok"] = checked.ok and pull.head_sha == state.verdict.head_sha and result["check"] == "success"
    return result


def _show(
    console: Console, forge: LocalForge, state: RunState, result: dict[str, object], *, kept: bool
) -> None:
    if state.published is None:
        console.print(f"\n[red]No pull request:[/] {state.code} {state.reason}")
        return
    pull = forge.pull(Repo(full_name=_REPO), state.published.pull)
    console.rule(f"Pull request #{pull.number}: {pull.title}")
    console.print(Markdown(readable(pull.body)))
    console.rule("Diff")
    path = forge.path(_REPO)
    console.print(
        Syntax(
            git("diff", "main", pull.head, git_dir=path), "diff", background_color="default", word_wrap=True
        )
    )
    console.rule("Checked again, from a fresh clone of the branch")
    for line in result["independent"]["lines"]:  # type: ignore[index]
        console.print(f"  {line}")
    verdict = "[green]All of it holds.[/]" if result["ok"] else "[red]Something does not hold.[/]"
    console.print(f"\n{verdict} {result['seconds']} s from start to end.")
    if kept:
        console.print(f"Repository: {path} (branch {pull.head})")
    else:
        console.print("Everything was removed again; `make demo ARGS='--keep FOLDER'` keeps it.", style="dim")
