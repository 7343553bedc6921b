"""What a run may spend, and what it has spent."""

from pydantic import Field

from gherkin.values import Frozen
from runners.models.chat import TokenUsage

# The most turns that a budget may have.
MAX_TURNS = 1000


class Budget(Frozen):
    """Bounds of one run; reaching one is a result, not a crash."""

    turns: int = Field(
        default=60, ge=1, le=MAX_TURNS, description="The most replies of models, in all phases together."
    )
    tokens: int = Field(
        default=2_000_000, ge=1000, description="The most tokens, prompts and completions together."
    )
    seconds: float = Field(
        default=3600, gt=0, description="The most time in the implement phases, in seconds."
    )
    cost: float | None = Field(
        default=None,
        gt=0,
        description="The highest cost in US dollars, by the prices of the operator's models file.",
    )
    rounds: int = Field(
        default=3,
        ge=1,
        le=20,
        description="The most verdicts of a run, or of one of its `candidates`, before it gives up.",
    )


class Spent(Frozen):
    """What a run has used so far.

    `seconds` is model and tool time, `cost` in US dollars, `rounds` the number of its verdicts.
    """

    turns: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    cost: float = 0.0
    rounds: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def over(self, budget: Budget) -> str | None:
        """Return the bound that is reached, in words, or None."""
        if self.turns >= budget.turns:
            return f"{budget.turns} turns"
        if self.tokens >= budget.tokens:
            return f"{budget.tokens:,} tokens"
        if self.seconds >= budget.seconds:
            return f"{budget.seconds:.0f} seconds"
        if budget.cost is not None and self.cost >= budget.cost:
            return f"{budget.cost:.2f} US dollars"
        return None

    def after(self, usage: TokenUsage, seconds: float, cost: float) -> "Spent":
        """Return what is spent after one more reply."""
        return self.model_copy(
            update={
                "turns": self.turns + 1,
                "prompt_tokens": self.prompt_tokens + usage.prompt_tokens,
                "completion_tokens": self.completion_tokens + usage.completion_tokens,
                "seconds": self.seconds + seconds,
                "cost": self.cost + cost,
            }
        )

    def is_last(self, budget: Budget, next_tokens: int) -> bool:
        """Return whether only one more reply, of about `next_tokens` with its prompt, fits into the
        budget.
        """
        return self.turns + 1 >= budget.turns or self.tokens + 2 * next_tokens >= budget.tokens
