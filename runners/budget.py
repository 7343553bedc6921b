"""What a run may spend, and what it has spent."""

from pydantic import Field

from runners.models.chat import Frozen


class Budget(Frozen):
    """Bounds of one run; reaching one is a result, not a crash."""

    turns: int = Field(default=60, ge=1, le=1000, description="Model replies in all phases together.")
    tokens: int = Field(default=2_000_000, ge=1000, description="Prompt and completion tokens together.")
    seconds: float = Field(default=3600, gt=0, description="Time spent in the implement phases, in seconds.")
    rounds: int = Field(default=3, ge=1, le=20, description="Verdicts before the run gives up.")


class Spent(Frozen):
    """What a run has used so far; `seconds` is model and tool time."""

    turns: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def over(self, budget: Budget) -> str | None:
        """The bound that is reached, in words, or None."""
        if self.turns >= budget.turns:
            return f"{budget.turns} turns"
        if self.tokens >= budget.tokens:
            return f"{budget.tokens:,} tokens"
        if self.seconds >= budget.seconds:
            return f"{budget.seconds:.0f} seconds"
        return None
