"""The type of an attack: a bash script that is run in the sandbox, or without one as the control."""

from collections.abc import Callable

from runners.sandbox.process import CommandResult

Attack = Callable[..., CommandResult]
