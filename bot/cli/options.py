"""Options and arguments that several commands share."""

from typing import Annotated

import typer

Port = Annotated[int, typer.Option(min=1, max=65535, help="TCP port.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
RunId = Annotated[str, typer.Argument(help="The run's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
