"""One variant of a scenario, as the harness runs it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trial:
    """One variant: `text` is a feature file of one scenario, which is run while the switch is at `switch`.

    `seconds` is its time limit. With `argument`, the harness gives that argument (from 0) of the scenario's
    own step number `step` another value. With `step` alone, the switch is set only for that step; with
    `context` too, that step sees other values on behave's context (`change_of` in the harness). With `value`,
    that word in the step's text is replaced by word number `constant` of those in its definition. The files
    `without` are removed before it runs.
    """

    id: str
    text: str
    switch: str = ""
    seconds: float = 20.0
    step: int | None = None
    argument: int | None = None
    context: str = ""
    value: str = ""
    constant: int = 0
    without: tuple[str, ...] = ()
