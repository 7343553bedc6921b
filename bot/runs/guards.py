"""Guards: conditions on a run's state, for the conditional nodes of a workflow."""

from fnmatch import fnmatchcase

from pydantic import Field

from bot.log.state import RunState
from gherkin.values import Frozen

Texts = str | tuple[str, ...]


class Range(Frozen):
    """Bounds of a number, both exclusive; at least one of them counts."""

    over: float | None = None
    under: float | None = None

    def holds(self, value: float) -> bool:
        """Return whether `value` is within the bounds."""
        return (self.over is None or value > self.over) and (self.under is None or value < self.under)


class Guard(Frozen):
    """Conditions that must all hold. Texts are globs; of several, one must match."""

    repository: Texts | None = Field(default=None, description="The full name of the repository.")
    requested_by: Texts | None = Field(default=None, description="Who asked for the run, by login.")
    request: Texts | None = Field(default=None, description="`implement` or `revise`.")
    kind: Texts | None = Field(default=None, description="`feature`, `bug`, `refactoring` or `chore`.")
    verdict: Texts | None = Field(default=None, description="`green`, `warning` or `red`; `none` before one.")
    scenarios: Range | None = Field(default=None, description="How many scenarios.")
    rounds: Range | None = Field(default=None, description="How many verdicts.")
    candidates: Range | None = Field(default=None, description="How many finished candidates.")
    turns: Range | None = Field(default=None, description="Model replies.")
    tokens: Range | None = Field(default=None, description="Prompt and completion tokens.")
    cost: Range | None = Field(default=None, description="US dollars.")

    def __str__(self) -> str:
        """Return what must hold in words: ``verdict green, cost under 2``."""
        parts = []
        for name in type(self).model_fields:
            wanted = getattr(self, name)
            if wanted is None:
                continue
            if isinstance(wanted, Range):
                said = " and ".join(f"{key} {value:g}" for key, value in wanted if value is not None)
            else:
                said = wanted if isinstance(wanted, str) else " or ".join(wanted)
            parts.append(f"{name.replace('_', ' ')} {said}")
        return ", ".join(parts)

    def holds(self, state: RunState) -> bool:
        """Return whether the run is in a state that this guard names."""
        order = state.requested.order if state.requested else None
        texts = {
            "repository": state.requested.repo if state.requested else "",
            "requested_by": order.requested_by if order else "",
            "request": order.kind if order else "",
            "kind": state.spec.kind if state.spec else "",
            "verdict": state.verdict.status if state.verdict else "none",
        }
        numbers = {
            "scenarios": len(state.spec.scenarios) if state.spec else 0,
            "rounds": state.spent.rounds,
            "candidates": len(state.candidates),
            "turns": state.spent.turns,
            "tokens": state.spent.tokens,
            "cost": state.spent.cost,
        }
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return all(
            _matches(wanted, texts[name]) if name in texts else wanted.holds(numbers[name])
            for name, wanted in given.items()
            if wanted is not None
        )


def _matches(wanted: Texts, value: str) -> bool:
    globs = (wanted,) if isinstance(wanted, str) else wanted
    return any(fnmatchcase(value.lower(), each.lower()) for each in globs)
