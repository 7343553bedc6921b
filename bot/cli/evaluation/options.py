"""EvalOptions and arguments that several commands of `scenarist eval` share."""

from pathlib import Path
from typing import Annotated

import typer

SetName = Annotated[
    str,
    typer.Argument(
        metavar="SET", help="A set's YAML file, or the name of a shipped one: `public` or `smoke`."
    ),
]
Out = Annotated[Path, typer.Option(help="The folder of the results.")]
ResultsFolder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="What `scenarist eval run --out` wrote.")
]
Clones = Annotated[
    Path | None,
    typer.Option(help="A folder of clones, used instead of the network: OWNER/NAME, OWNER+NAME or NAME."),
]
