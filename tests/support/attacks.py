"""The type of an attack: a bash script that runs in the sandbox, and without one as the control."""

from collections.abc import Callable

from runners.sandbox.process import CommandResult

Attack = Callable[..., CommandResult]
