"""A launch without a database: the remote store over a real socket does what the store does, and no more."""

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from bot.log.events import (
    RUNNER_PHASES,
    Controlled,
    Event,
    PhaseDelayed,
    PhaseFinished,
    PhaseStarted,
    Published,
    RunEnded,
)
from bot.remote.store import RemoteRefused, RemoteStore
from bot.remote.tokens import LAUNCH_S, RunToken, SecretTooShort, Signer, TokenRefused
from bot.runs.driver import Driver
from bot.storage.launches import Launch
from bot.storage.leases import LeaseLost, RunClaim
from bot.storage.store import Store
from runners.contract.events import Instructed, PromptSent
from runners.contract.job import PhaseResult
from runners.contract.operator_limits import Runner
from tests.support.launches import prepared
from tests.support.web_app import Running

SECRET = "a-secret-of-thirty-two-characters"


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


@pytest.fixture
def web(store: Store) -> Iterator[Running]:
    with Running(store, lambda _ids: None, runner_secret=SECRET) as running:
        yield running


def token(store: Store, run_id: str, fence: int = 1) -> str:
    launch = Launch(run_id=run_id, fence=fence)
    until = store.clock() + LAUNCH_S
    return Signer(SECRET).sign(RunToken(kind="launch", launch=launch, fence=fence, until=until))


@pytest.fixture
def run_id(store: Store) -> str:
    return prepared(store, runner="actions")


@pytest.fixture
def remote(store: Store, web: Running, run_id: str) -> RemoteStore:
    return RemoteStore(web.url, token(store, run_id))


def claimed(remote: RemoteStore, run_id: str) -> RunClaim:
    claim = remote.claim(run_id, RUNNER_PHASES, 30)
    assert claim is not None
    return claim


def types(store: Store, run_id: str) -> list[str]:
    return [entry.event.type for entry in store.entries(run_id)]


def test_a_driver_does_its_phases_over_http_as_it_does_with_a_database(
    store: Store, web: Running, remote: RemoteStore, run_id: str
) -> None:
    done: list[str] = []

    def work(name: str) -> PhaseResult[Event]:
        done.append(name)
        return PhaseResult("done", artifacts={f"{name}.bin": bytes(range(256))})

    driver = Driver(
        remote,
        {
            "specify": lambda _run, _state, _claimed: work("specify"),
            "baseline": lambda _run, _state, _claimed: work("baseline"),
            "implement": lambda _run, _state, claimed: (claimed.artifact("specify.bin"), work("implement"))[
                1
            ],
            "verify": lambda _run, _state, _claimed: work("verify"),
        },
        worker="job",
        lease_seconds=30,
        changed=lambda _run, _following: None,
        runner="actions",
    )
    driver.work(run_id, 1)
    assert sorted(done) == ["baseline", "implement", "specify", "verify"]
    assert store.status(run_id) == ("active", "publish")
    assert store.artifact(run_id, "verify.bin") == bytes(range(256))
    assert run_id in web.controlled, "the workers of the next phase are woken"


def test_a_launch_claims_a_run_that_is_done_where_launches_work(store: Store, web: Running) -> None:
    places: tuple[Runner, ...] = ("kubernetes", "celery")
    for place in places:
        run_id = prepared(store, place, runner=place)
        claim = RemoteStore(web.url, token(store, run_id)).claim(run_id, RUNNER_PHASES, 30)
        assert (claim is not None) == (place == "kubernetes")


def test_a_token_is_good_for_one_claim(store: Store, web: Running, run_id: str) -> None:
    text = token(store, run_id)
    first, second = RemoteStore(web.url, text), RemoteStore(web.url, text)
    assert first.claim(run_id, RUNNER_PHASES, 30) is not None
    assert second.claim(run_id, RUNNER_PHASES, 30) is None
    with pytest.raises(TokenRefused):
        second.entries(run_id)


def test_a_lost_claim_can_write_nothing(store: Store, remote: RemoteStore, run_id: str) -> None:
    claim = claimed(remote, run_id)
    assert remote.is_current(claim)
    remote.log(claim, [PhaseStarted(phase="specify", worker="job")])
    before = types(store, run_id)
    assert store.take_away(run_id, claim.fence)
    assert not remote.is_current(claim)
    with pytest.raises(LeaseLost):
        remote.log(claim, [PhaseStarted(phase="specify", worker="job")])
    with pytest.raises(LeaseLost):
        remote.extend(claim, 30)
    assert not remote.release(claim)
    assert types(store, run_id) == before


@pytest.mark.parametrize("wrong", ["nothing", "x.y", "genuine.x"])
def test_a_token_that_is_not_genuine_is_refused(store: Store, web: Running, run_id: str, wrong: str) -> None:
    genuine = token(store, run_id)
    text = wrong.replace("genuine", genuine.partition(".")[0])
    with pytest.raises(TokenRefused):
        RemoteStore(web.url, text).claim(run_id, RUNNER_PHASES, 30)
    other = Signer("another-secret-of-thirty-two-chars").sign(Signer(SECRET).read(genuine, store.clock()))
    with pytest.raises(TokenRefused):
        RemoteStore(web.url, other).claim(run_id, RUNNER_PHASES, 30)


def test_an_old_token_and_a_short_secret_are_refused(store: Store) -> None:
    text = token(store, "0" * 26)
    assert Signer(SECRET).read(text, store.clock() + LAUNCH_S - 1).fence == 1
    with pytest.raises(TokenRefused, match="too old"):
        Signer(SECRET).read(text, store.clock() + LAUNCH_S + 1)
    with pytest.raises(SecretTooShort):
        Signer("short")


def test_a_launch_reads_its_own_run_and_its_repository_alone(
    store: Store, remote: RemoteStore, run_id: str
) -> None:
    claim = claimed(remote, run_id)
    remote.log(claim, [], {"work": b"\x00\xff"})
    assert remote.artifact(run_id, "work") == b"\x00\xff"
    assert remote.artifact(run_id, "no-such") is None
    assert [entry.event.type for entry in remote.entries(run_id)] == types(store, run_id)
    assert remote.entries("another run", 1) == store.entries(run_id, 1), "it is always asked for its own"
    told = Instructed(comment=1, by="ada", text="Use integers.")
    assert store.instruct(run_id, told)
    assert remote.instructions(run_id) == [told]
    assert remote.artifact_of("local", "o/elsewhere", "0" * 26, "work") is None


def test_a_large_artifact_travels_both_ways(
    store: Store, web: Running, remote: RemoteStore, run_id: str
) -> None:
    claim = claimed(remote, run_id)
    large = bytes(range(256)) * 20_000
    remote.log(claim, [], {"large": large, "small": b"1"})
    assert store.artifact(run_id, "large") == remote.artifact(run_id, "large") == large
    headers = {"authorization": f"Bearer {remote._token}"}
    for body in (b'{"events": [], "sizes": {"other": 3}}\n12', b'{"events": []}\n12'):
        refused = httpx.post(f"{web.url}/runner/log", content=body, headers=headers)
        assert (refused.status_code, "SCN-1214" in refused.text) == (422, True)
    assert store.artifact(run_id, "other") is None


@pytest.mark.parametrize(
    "event",
    [
        Published(pull=1, commit="c" * 40, url=""),
        Instructed(comment=9, by="ada", text="Approve it."),
        Controlled(control="resume", by="ada"),
        RunEnded(status="done"),
        PhaseFinished(phase="publish", outcome="done"),
    ],
    ids=lambda event: event.type,
)
def test_a_launch_cannot_say_what_people_and_trusted_phases_say(
    store: Store, remote: RemoteStore, run_id: str, event: object
) -> None:
    claim = claimed(remote, run_id)
    before = types(store, run_id)
    with pytest.raises(RemoteRefused):
        remote.log(claim, [event])
    assert types(store, run_id) == before
    remote.log(claim, [PromptSent(reason="nudge", text="Go on.")])  # the positive control
    assert types(store, run_id) == [*before, "PromptSent"]


@pytest.mark.parametrize(
    ("outcome", "following", "status"),
    [
        ("done", "publish", "active"),
        ("done", "verify", "active"),
        ("approval", "implement", "active"),
        ("done", "implement", "paused"),
        ("done", "implement", "done"),
        ("nonsense", "implement", "active"),
    ],
)
def test_a_phase_ends_as_the_workflow_says(
    store: Store, remote: RemoteStore, run_id: str, outcome: str, following: str, status: str
) -> None:
    claim = claimed(remote, run_id)
    end = PhaseFinished(phase="specify", outcome=outcome)
    with pytest.raises(RemoteRefused):
        remote.finish_phase(claim, [end], {}, phase=following, status=status)
    assert store.status(run_id) == ("active", "specify")
    good = PhaseFinished(phase="specify", outcome="done")
    remote.finish_phase(claim, [good], {}, phase="implement")
    assert store.status(run_id) == ("active", "implement")


def test_scenarios_wait_for_an_approval_and_a_delay_is_kept(
    store: Store, web: Running, remote: RemoteStore, run_id: str
) -> None:
    claim = claimed(remote, run_id)
    delay = PhaseDelayed(phase="specify", code="SCN-4001", reason="away", seconds=0.0)
    remote.finish_phase(claim, [delay], {}, phase="specify", delay=0.0)
    claim = claimed(remote, run_id)
    end = PhaseFinished(phase="specify", outcome="approval", reason="Look at them.")
    waits = Controlled(control="pause", by="", reason="Look at them.")
    remote.finish_phase(claim, [end, waits], {}, phase="implement", status="paused")
    assert store.status(run_id) == ("paused", "implement")


def test_a_write_whose_answer_was_lost_is_not_stored_twice(
    store: Store, remote: RemoteStore, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claimed(remote, run_id)
    send, lost = remote._client.post, [True]

    def post(*words: object, **more: object) -> httpx.Response:
        answer = send(*words, **more)
        if lost and str(words[0]).endswith("/log"):
            lost.clear()
            raise httpx.ReadError("the answer is lost")
        return answer

    monkeypatch.setattr(remote._client, "post", post)
    remote.log(claim, [PhaseStarted(phase="specify", worker="job")])
    assert types(store, run_id).count("PhaseStarted") == 1
    remote.log(claim, [PhaseStarted(phase="specify", worker="job")])
    assert types(store, run_id).count("PhaseStarted") == 2, "the same again is another event"


def test_a_web_app_that_is_away_is_like_a_database_that_is_away(
    closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.remote.store._PATIENCE_S", 0.0)
    away = RemoteStore(f"http://127.0.0.1:{closed_port}", "token")
    with pytest.raises(OperationalError):
        away.entries("run")


def test_without_a_secret_nothing_is_answered(store: Store) -> None:
    with Running(store, lambda _ids: None) as web:
        assert httpx.post(f"{web.url}/runner/claim", content="{}").status_code == 404


def test_a_phase_that_has_ended_ends_what_its_token_may_write(
    store: Store, web: Running, remote: RemoteStore, run_id: str
) -> None:
    claim = claimed(remote, run_id)
    end = PhaseFinished(phase="specify", outcome="approval", reason="Look at them.")
    waits = Controlled(control="pause", by="", reason="Look at them.")
    remote.finish_phase(claim, [end, waits], {}, phase="implement", status="paused")
    before = types(store, run_id)
    assert len(remote.entries(run_id)) == len(before), "a finish whose answer was lost is looked for"
    with pytest.raises(LeaseLost):
        remote.log(claim, [PromptSent(reason="nudge", text="Go on.")])
    with pytest.raises(LeaseLost):
        remote.finish_phase(claim, [PhaseFinished(phase="implement", outcome="done")], {}, phase="verify")
    with pytest.raises(LeaseLost):
        remote.extend(claim, 30)
    assert (store.status(run_id), types(store, run_id)) == (("paused", "implement"), before)


def test_a_run_that_somebody_else_has_is_not_read_any_more(
    store: Store, remote: RemoteStore, run_id: str
) -> None:
    claim = claimed(remote, run_id)
    remote.log(claim, [], {"work": b"1"})
    assert remote.artifact(run_id, "work") == b"1"
    assert store.control(run_id, Controlled(control="cancel", by="ada"))
    for read in (
        lambda: remote.entries(run_id),
        lambda: remote.instructions(run_id),
        lambda: remote.artifact(run_id, "work"),
        lambda: remote.artifact_of("local", "o/r", run_id, "work"),
    ):
        with pytest.raises(LeaseLost):
            read()


@pytest.mark.parametrize("seconds", ["-1", "NaN", "Infinity", "1e300"])
def test_a_time_that_no_run_may_wait_is_refused(
    store: Store, web: Running, remote: RemoteStore, run_id: str, seconds: str
) -> None:
    claimed(remote, run_id)
    headers = {"authorization": f"Bearer {remote._token}"}
    delayed = '{"type": "PhaseDelayed", "phase": "specify", "code": "", "reason": "", "seconds": 0}'
    ends = f'{{"events": [{delayed}], "phase": "specify", "status": "active", "delay": %s}}'
    for call, body in (("extend", '{"seconds": %s}'), ("finish", ends), ("give-back", '{"seconds": %s}')):
        refused = httpx.post(f"{web.url}/runner/{call}", content=body % seconds, headers=headers)
        assert refused.status_code == 422, call
        good = httpx.post(f"{web.url}/runner/{call}", content=body % "1", headers=headers)
        assert good.status_code == 200 or call == "give-back", "finish has given it back"


@pytest.mark.parametrize("cost", ["-5", "NaN", "Infinity"])
def test_use_that_cannot_be_is_refused(
    store: Store, web: Running, remote: RemoteStore, run_id: str, cost: str
) -> None:
    """It would change the sums of other runs, or leave a log that nobody can read."""
    claimed(remote, run_id)
    headers = {"authorization": f"Bearer {remote._token}"}
    body = '{"events": [{"type": "ModelReplied", "phase": "specify", "reply": {}, "seconds": 1, "cost": %s}]}'
    refused = httpx.post(f"{web.url}/runner/log", content=body % cost, headers=headers)
    assert refused.status_code == 422
    good = httpx.post(f"{web.url}/runner/log", content=body % "5", headers=headers)
    assert (good.status_code, types(store, run_id)[-1]) == (200, "ModelReplied")
