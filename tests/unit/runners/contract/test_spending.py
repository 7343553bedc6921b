"""What events cost is counted in one place: for the state of a run and for a candidate alike."""

from bot.log.state import fold
from runners.contract.spending import spent_in
from tests.support.logs import CALLED, GREEN, REPLIED, SENT_BACK, VERIFIED, VerdictReached, entries


def test_a_verdict_is_a_round_and_only_replies_and_calls_cost() -> None:
    spent = spent_in([REPLIED, CALLED, VerdictReached(verdict=GREEN), REPLIED, VerdictReached(verdict=GREEN)])
    assert (spent.rounds, spent.turns) == (2, 2)
    assert spent.seconds == 2 * REPLIED.seconds + CALLED.seconds and spent.cost == 2 * REPLIED.cost


def test_the_state_of_a_run_says_the_same() -> None:
    for events in (VERIFIED, SENT_BACK):
        spent = spent_in(events)
        assert spent.rounds == 1
        assert fold(entries(events)).spent == spent
