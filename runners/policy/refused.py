"""Exceptions with which a tool refuses a call. Their text is the answer to the model."""


class Refused(Exception):
    """The call cannot be done; the text tells the model why and what to do instead."""


class Denied(Refused):
    """The policy forbids the call."""

    def __init__(self, reason: str, instead: str = "Reach the goal without it.") -> None:
        super().__init__(f"{reason} {instead}")
