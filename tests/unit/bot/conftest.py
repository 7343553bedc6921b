"""What tests of the bot share."""

import pytest

from bot.storage.store import Store
from tests.support.stores import Clock


@pytest.fixture
def clock(store: Store) -> Clock:
    """A clock that stands still until a test moves it; the store reads it."""
    clock = Clock()
    store.clock = clock
    return clock
