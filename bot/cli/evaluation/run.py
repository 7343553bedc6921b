"""`scenarist eval run`."""

import fnmatch
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console

from bot.cli.evaluation.options import Clones, Out, SetName
from bot.cli.evaluation.report import print_report
from bot.cli.process import require_sandbox
from bot.config.models import require_models
from bot.config.repository import parse_config
from bot.config.settings import load_settings
from bot.evaluation.attempts import TaskAttempt
from bot.evaluation.harness import EvalOptions, Harness
from bot.evaluation.report import report
from bot.evaluation.task_set import EvalSet, EvalSetInvalid, read_set
from bot.worker.processes import sigterm_interrupts
from runners.policy.plaintext import for_terminal, one_line

_INTERRUPTED = 130
_SHOWN = 160


def run(
    set_name: SetName,
    models: Annotated[
        Path | None, typer.Option(help="A models file; left out: what this machine's settings say.")
    ] = None,
    name: Annotated[str, typer.Option(help="What reports call the models; left out: the file's name.")] = "",
    out: Out = Path("eval"),
    n: Annotated[int, typer.Option("--n", min=0, help="Only the first K tasks; 0: all.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Attempts at each task.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Attempts at the same time.")] = 1,
    only: Annotated[str, typer.Option(help="Only tasks whose id matches this glob.")] = "*",
    config: Annotated[
        Path | None,
        typer.Option(help="Keys of `.scenarist.yml` for all tasks, such as `candidates`."),
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(help="A folder of recordings to replay: TASK.SEED.jsonl or TASK.jsonl."),
    ] = None,
    clones: Clones = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long one attempt may take.")] = 120,
    again: Annotated[
        bool, typer.Option("--again", help="Repeat attempts whose infrastructure failed.")
    ] = False,
) -> None:
    """Try the tasks of a set with your models, and judge the results.

    Each attempt is a `scenarist run`; hidden tests judge its result. Finished attempts are not repeated:
    after an interruption, run the same command again. Exit status 0 when all attempts were made, 1 when some
    failed because of the infrastructure.
    """
    settings = load_settings()
    require_sandbox(settings)
    chosen = _chosen(read_set(set_name), only, n)
    env: dict[str, str] = {}
    if recordings is None:
        if models is not None:
            env["SCENARIST_MODELS_FILE"] = str(models.resolve())
            settings = settings.model_copy(update={"models_file": models.resolve()})
        require_models(settings)
    label = name or (models.stem if models else "recordings" if recordings else settings.runtime)
    options = EvalOptions(
        models=label,
        out=out,
        env=env,
        recordings=recordings.resolve() if recordings else None,
        config=_config(config),
        seeds=seeds,
        jobs=jobs,
        seconds=minutes * 60,
        clones=clones.resolve() if clones else None,
        again=again,
    )
    console = Console(highlight=False)
    harness = Harness(chosen, options, settings)
    try:
        with sigterm_interrupts():
            attempts = harness.run(lambda each: console.print(_line(each), markup=False))
    except KeyboardInterrupt:
        console.print("Interrupted. Run the same command again to continue.")
        raise typer.Exit(_INTERRUPTED) from None
    print_report(report(harness.results.about, attempts), console)
    raise typer.Exit(1 if any(each.infra for each in attempts) else 0)


def _chosen(found: EvalSet, only: str, n: int) -> EvalSet:
    tasks = [task for task in found.tasks if fnmatch.fnmatchcase(task.id, only)]
    if not tasks:
        raise EvalSetInvalid(f"No task of the set {found.name} matches {only[:100]!r}.")
    return found.model_copy(update={"tasks": tuple(tasks[:n] if n else tasks)})


def _config(path: Path | None) -> dict[str, Any]:
    """Return the keys of a `.scenarist.yml`. Raises `EvalSetInvalid` and `ConfigInvalid`."""
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvalSetInvalid(f"{path} cannot be read: {error}.", "Give a readable file.") from None
    parse_config(text)
    found: dict[str, Any] = yaml.safe_load(text) or {}
    return found


def _line(attempt: TaskAttempt) -> str:
    why = attempt.infra or ("" if attempt.right else attempt.reason)
    shown = f" · {one_line(for_terminal(why))[:_SHOWN]}" if why else ""
    return f"{attempt.task} ({attempt.seed}): {attempt.outcome} · {attempt.wall_s:.0f} s{shown}"
