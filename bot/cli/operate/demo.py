"""`scenarist demo`."""

from pathlib import Path
from typing import Annotated

import typer

from bot.demo.run import DemoOptions, run_demo


def demo(
    runtime: Annotated[str, typer.Option(help="replay, local or anthropic.")] = "replay",
    model_url: Annotated[str, typer.Option(help="A vLLM server's API, for --runtime local.")] = "",
    model: Annotated[str, typer.Option(help="Name of the model; empty: the server's first.")] = "",
    keep: Annotated[
        Path | None, typer.Option(help="Keep repository, database and logs in this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
    unsafe_no_sandbox: Annotated[
        bool, typer.Option(help="Run without bubblewrap; the pull request says so.")
    ] = False,
) -> None:
    """Show a whole run on this machine, from label to proven pull request.

    The model is a recording unless --runtime says otherwise.
    """
    options = DemoOptions(
        runtime=runtime,
        model_url=model_url,
        model=model,
        keep=keep,
        as_json=as_json,
        unsafe_no_sandbox=unsafe_no_sandbox,
    )
    raise typer.Exit(run_demo(options))
