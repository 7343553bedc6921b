"""Options and arguments that several commands share."""

from typing import Annotated, Literal

import typer

Port = Annotated[int, typer.Option(min=1, max=65535, help="TCP port.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
RunId = Annotated[str, typer.Argument(help="The run's id.")]
QUEUE_NAMES = ("intake", "publish", "runs")
ALL_QUEUES = ",".join(QUEUE_NAMES)
Queues = Annotated[
    str, typer.Option(envvar="SCENARIST_QUEUES", help="Comma-separated: intake, publish, runs.")
]
ForgeName = Annotated[
    Literal["github", "gitlab", "local"], typer.Option("--forge", help="Where the repository is.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def queue_names(given: str) -> list[str]:
    """Return the names in a list of queues. Raises `typer.BadParameter` for one that there is not."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    unknown = set(names) - set(QUEUE_NAMES)
    if unknown or not names:
        raise typer.BadParameter(f"unknown queue: {', '.join(sorted(unknown)) or '(none)'}")
    return names
