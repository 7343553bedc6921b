"""Where a run is done: the operator's place, or one that a repository may choose."""

from bot.phases.places import Places
from runners.contract.job import RunSettings


def test_a_repository_chooses_among_the_places_that_the_operator_offers() -> None:
    wish = RunSettings(runner="kubernetes")
    assert Places("celery", []).of(wish) == "celery"
    assert Places("celery", ["kubernetes"]).of(wish) == "kubernetes"
    assert Places("kubernetes", []).of(RunSettings(runner="celery")) == "kubernetes"
    assert Places("kubernetes", []).of(RunSettings()) == "kubernetes"


def test_base_commits_travel_when_runs_may_be_done_elsewhere() -> None:
    assert not Places("celery", []).far
    assert Places("celery", ["kubernetes"]).far and Places("kubernetes", []).far
