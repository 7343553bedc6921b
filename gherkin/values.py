"""The base class of immutable values, and text that every store can hold."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


class Frozen(BaseModel):
    """Base class of immutable values, which are compared by content; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _storable(text: str) -> str:
    return text.encode(errors="replace").decode()


# JSON can hold single surrogates, which neither a database nor a request accepts.
StorableText = Annotated[str, AfterValidator(_storable)]
