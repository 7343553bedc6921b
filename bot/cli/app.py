"""The `scenarist` command."""

import contextlib
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot import __version__
from bot.cli import runs as cli_runs
from bot.config.settings import Settings, load_settings
from gherkin.errors import ScenaristError
from runners.sandbox.scratch import use_private_tmp

app = typer.Typer(
    help="Label an issue, get a pull request that proves it does what the issue asked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="The models: what they can do, and how to serve one.", no_args_is_help=True)
app.add_typer(models, name="models")
app.add_typer(cli_runs.app)

Port = Annotated[int, typer.Option(min=1, max=65535, help="TCP port.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]


def main() -> None:
    """Entry point: errors become one line with a code, and exit status 2; with SCENARIST_DEBUG set, a defect its trace too."""
    try:
        app()
    except ScenaristError as error:
        typer.echo(str(error), err=True)
    except Exception as error:
        if os.environ.get("SCENARIST_DEBUG"):
            raise
        typer.echo(str(_unexpected(error)), err=True)
    else:
        return
    sys.exit(2)


def _unexpected(error: Exception) -> ScenaristError:
    """What a user is told of an error that nobody has put into words."""
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, SQLAlchemyError):
        said = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
        return DatabaseUnusable(f"The database cannot be used: {said}.")
    return ScenaristError(
        f"This is a defect in Scenarist ({type(error).__name__}). SCENARIST_DEBUG=1 shows where."
    )


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def demo(
    runtime: Annotated[str, typer.Option(help="replay, local or anthropic.")] = "replay",
    model_url: Annotated[str, typer.Option(help="A vLLM server's API, for --runtime local.")] = "",
    model: Annotated[str, typer.Option(help="Name of the model; empty: the server's first.")] = "",
    keep: Annotated[
        Path | None, typer.Option(help="Keep repository, database and logs in this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
    unsafe_no_sandbox: Annotated[bool, typer.Option(help="Run without bubblewrap; the PR says so.")] = False,
) -> None:
    """From an issue's label to a proven pull request, on this machine, with a recorded model by default."""
    from bot.demo.run import DemoOptions, run_demo

    options = DemoOptions(
        runtime=runtime,
        model_url=model_url,
        model=model,
        keep=keep,
        as_json=as_json,
        unsafe_no_sandbox=unsafe_no_sandbox,
    )
    raise typer.Exit(run_demo(options))


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from bot.storage.database import connect
    from bot.storage.database import migrate as apply

    settings = load_settings()
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    apply(connect(settings.database))
    typer.echo("The database is up to date.")


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    fd: Annotated[
        int | None, typer.Option(help="Serve a listening socket that is inherited under this number instead.")
    ] = None,
) -> None:
    """Run the web app: webhooks, health, run pages."""
    import socket

    import uvicorn

    from bot.storage.database import connect
    from bot.storage.store import Store
    from bot.web.app import WebApp
    from bot.worker.celery_app import Bell, make_celery

    settings = load_settings()
    _log()
    web = WebApp(
        Store(connect(settings.database)),
        Bell(make_celery(settings.broker_url)).deliveries,
        secrets={
            "github": settings.github_webhook_secret.get_secret_value().encode(),
            "local": settings.local_webhook_secret.get_secret_value().encode(),
        },
        labels=(settings.trigger_label, settings.spec_label),
        control_token=settings.control_token.get_secret_value(),
        max_body_bytes=settings.max_body_bytes,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            web,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            loop="uvloop",
            http="httptools",
        )
    )
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=None if fd is None else [socket.socket(fileno=fd)])
    if not server.started:
        raise typer.Exit(1)  # the address was in use; uvicorn has said so


@app.command()
def worker(
    queues: Annotated[
        str, typer.Option(help="Comma-separated: intake, publish, runs.")
    ] = "intake,publish,runs",
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
) -> None:
    """Run a Celery worker. `intake` and `publish` need the forge's credentials; `runs` must not have them."""
    from bot.config.limits import database_urls, load_limits
    from bot.runs.draining import Draining
    from bot.worker.celery_app import make_celery, register_tasks

    settings = load_settings()
    _log()
    names = [name.strip() for name in queues.split(",") if name.strip()]
    unknown = set(names) - {"intake", "publish", "runs"}
    if unknown or not names:
        raise typer.BadParameter(f"unknown queue: {', '.join(sorted(unknown)) or '(none)'}")
    if "runs" in names:
        _require_sandbox(settings)
        database_urls(load_limits(settings.limits_file))
    celery = make_celery(settings.broker_url, settings.reap_seconds)
    scratch = use_private_tmp(settings.state_dir)
    register_tasks(celery, settings, names, Draining(scratch / "stopping", settings.stop_seconds))
    if concurrency > 1:
        _preload()
    arguments = [
        *("worker", "--queues", ",".join(names), "--concurrency", str(concurrency)),
        *("--pool", "prefork", "--loglevel", "WARNING", "--hostname", f"{'-'.join(names)}-{os.getpid()}@%h"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    if "intake" in names:
        arguments += ["--beat", "--schedule", str(scratch / "beat")]
    try:
        celery.worker_main(arguments)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@app.command()
def up(host: Host = "127.0.0.1", port: Port = 8080) -> None:
    """Run everything on one machine: embedded Redis, web app, one worker a queue. Ctrl-C ends it."""
    from bot.worker.machine import run_up

    _log()
    run_up(load_settings(), host, port)


@app.command()
def verify(
    base: Annotated[str, typer.Option(help="The commit before the change.")],
    feature: Annotated[str, typer.Option(help="Path of the feature file, in the head commit.")],
    head: Annotated[str, typer.Option(help="The commit with the change.")] = "HEAD",
    repo: Annotated[Path, typer.Option(help="A git repository.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole verdict.")] = False,
) -> None:
    """Take the verdict on a change in any repository: exit status 0 when it is proven, 1 when not."""
    from bot.cli.verify import verdict_text, verify_repository
    from runners.sandbox.bubblewrap import Limits

    settings = load_settings()
    _require_sandbox(settings)
    limits = Limits(wall_s=settings.command_seconds, memory_mb=settings.command_memory_mb)
    unsafe = settings.unsafe_no_sandbox
    verdict = verify_repository(repo, base, head, feature, limits=limits, unsafe=unsafe)
    typer.echo(verdict_text(verdict, as_json=as_json))
    raise typer.Exit(0 if verdict.green else 1)


@app.command()
def spec(
    issue: Annotated[Path, typer.Argument(help="A text file: the issue's title, then its text.")],
    repo: Annotated[Path, typer.Option(help="A git repository.")] = Path(),
    base: Annotated[str, typer.Option(help="The commit to begin from.")] = "HEAD",
    number: Annotated[int, typer.Option(min=1, help="The issue's number, for its tag.")] = 1,
) -> None:
    """Print the scenarios for an issue, and write no code: exit status 0 when there are some, 1 when the issue says too little."""
    from bot.cli.spec import specify_issue

    made = specify_issue(issue, repo, base, number, load_settings())
    typer.echo(made.feature or made.reason, nl=not made.feature, err=not made.feature)
    for note in (*made.questions, *made.findings):
        typer.echo(f"- {note}", err=True)
    raise typer.Exit(0 if made.feature else 1)


@app.command()
def gc(dry_run: Annotated[bool, typer.Option(help="Only say what would be removed.")] = False) -> None:
    """Remove what ended runs left on this machine and in the database, by age and by size."""
    from bot.cli.gc import collect
    from bot.storage.database import connect
    from bot.storage.store import Store

    settings = load_settings()
    for removed in collect(settings, Store(connect(settings.database)), dry_run=dry_run):
        verb = "would be removed" if dry_run else "removed"
        size = f", {removed.size / 1e6:,.1f} MB" if removed.size else ""
        typer.echo(f"{removed.kind}: {removed.count} {verb}{size}")


@app.command()
def doctor() -> None:
    """Look whether this machine can do its part, and say what to do where it cannot. Exit status 1 if something fails."""
    from bot.cli.doctor import examine, finding_text

    failed = False
    for finding in examine(load_settings()):
        typer.echo(finding_text(finding))
        failed = failed or finding.state == "failed"
    raise typer.Exit(1 if failed else 0)


@app.command()
def domain(
    repo: Annotated[Path, typer.Option(help="The repository.", exists=True, file_okay=False)] = Path(),
    model: Annotated[bool, typer.Option(help="Have the model complete it.")] = False,
) -> None:
    """Print a first draft of `.scenarist/domain.yml`, drawn from a repository's Python code, features and steps."""
    from bot.cli.domain import draft
    from gherkin.domain.language import dump

    typer.echo(dump(draft(repo, load_settings() if model else None)), nl=False)


@app.command()
def backlog(
    file: Annotated[Path, typer.Argument(help="Stories as YAML; see docs/backlog.md.")],
    repo: Annotated[str, typer.Option(help="OWNER/NAME.")],
    forge: Annotated[str, typer.Option(help="github or local.")] = "github",
    label: Annotated[list[str] | None, typer.Option(help="Labels of the new issues.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be made.")] = False,
) -> None:
    """Make issues of the stories in a file, in the order of their priority; each once, however often it is run."""
    from bot.forges.forge import Repo
    from bot.forges.registry import Forges
    from bot.intake.backlog import BacklogInvalid, import_backlog, read_backlog
    from bot.storage.database import connect
    from bot.storage.store import Store

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BacklogInvalid(f"{file} cannot be read: {error}.") from None
    stories = read_backlog(text, file.name)
    settings = load_settings()
    adapter = Forges(settings, Store(connect(settings.database))).backlog(forge)
    for story, number, new in import_backlog(
        adapter, Repo(full_name=repo), stories, label or [], dry_run=dry_run
    ):
        typer.echo(
            f"{'new' if new else 'there'}  {f'#{number}' if number else '-':6} {story.id}: {story.title}"
        )


@app.command()
def lint(
    paths: Annotated[list[Path], typer.Argument(help="Feature files, or folders with feature files.")],
    strict: Annotated[bool, typer.Option(help="Exit status 1 for warnings, too.")] = False,
    max_scenarios: Annotated[int, typer.Option(min=1, help="Scenarios a file may have.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is wrong with scenarios that parse: exit status 1 when there is an error."""
    from bot.cli.lint import lint_files, lint_text

    found = lint_files(paths, max_scenarios)
    typer.echo(lint_text(found, as_json=as_json))
    every = [each for findings in found.values() for each in findings]
    raise typer.Exit(1 if any(strict or each.level == "error" for each in every) else 0)


@models.command()
def check() -> None:
    """Ask each configured model for one tool call and one answer by a schema. Exit status 1 if one cannot be worked with."""
    from bot.cli.models import check_models, table

    checked = check_models(load_settings())
    typer.echo(table(checked))
    raise typer.Exit(1 if any(each.problem for each in checked) else 0)


@models.command(name="serve", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def serve_model(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A folder, or a name on Hugging Face's hub.")],
    host: Host = "127.0.0.1",
    port: Port = 8000,
    context_length: Annotated[int, typer.Option(min=0, help="In tokens; 0: the model's own.")] = 0,
    python: Annotated[str, typer.Option(help="The Python that has vLLM; left out: `vllm` on the PATH.")] = "",
    only_print: Annotated[bool, typer.Option("--print", help="Print the command only.")] = False,
) -> None:
    """Start `vllm serve` with the flags that the model's family needs; further flags are passed on."""
    import shlex

    from bot.cli.serve_model import serve as run_server
    from bot.cli.serve_model import serving

    made = serving(model, python=python, host=host, port=port, context=context_length, more=context.args)
    for line in (made.why, *made.notes):
        typer.echo(f"# {line}", err=True)
    typer.echo(shlex.join(made.command))
    if not only_print:
        raise typer.Exit(run_server(made, f"http://{host}:{port}", typer.echo))


@app.command()
def action() -> None:
    """Do one event's whole run in this process: what the GitHub Actions workflow calls."""
    from bot.cli.action import run_action

    _log()
    raise typer.Exit(run_action(load_settings(), os.environ))


class DatabaseUnusable(ScenaristError):
    """The database is not there, has no schema or an old one, or refuses."""

    code = "SCN-6003"
    next_step = "Look at SCENARIST_DATABASE_URL and SCENARIST_STATE_DIR, then `scenarist migrate`; `scenarist doctor` says more."


class SandboxRequired(ScenaristError):
    """Bubblewrap is missing or does not work here, and nobody allowed to go without."""

    code = "SCN-7005"
    next_step = "Install Debian's bubblewrap package, or set SCENARIST_UNSAFE_NO_SANDBOX=1; each pull request then says so."


def _preload() -> None:
    """Load what each of several processes needs before they are forked, so that they share its memory."""
    import gc

    import bot.worker.worker  # noqa: F401
    from runners.models.vllm import preload

    preload()
    gc.collect()
    gc.freeze()


def _require_sandbox(settings: Settings) -> None:
    from runners.sandbox.bubblewrap import available

    problem = None if settings.unsafe_no_sandbox else available()
    if problem:
        raise SandboxRequired(problem)


def _log() -> None:
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("bot").setLevel(logging.INFO)
