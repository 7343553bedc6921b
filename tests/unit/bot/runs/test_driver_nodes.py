"""The driver goes through an operator's nodes, waits for people, and lets no retry pass them by."""

from pathlib import Path

from bot.log.events import Controlled, Event, NodeEntered, Phase, PhaseFinished
from bot.log.state import RunState, fold
from bot.runs.claimed_run import ClaimedRun
from bot.runs.driver import Driver, PhaseHandler
from bot.runs.workflow_file import load_workflow
from bot.storage.store import Store
from runners.contract.events import PromptSent, VerdictReached
from runners.contract.job import PhaseResult
from runners.verify.verdict import Verdict
from tests.support.stores import PHASES, Clock, drive, start

_WORKFLOW = """
most_steps: 30
nodes:
  check: {kind: command, run: "true", before: publish}
  sign_off: {kind: human, ask: "May it?", before: publish}
"""


_GATES = """
nodes:
  small: {kind: gate, require: {turns: {under: 9}}, before: publish, to: {red: {to: implement, at_most: 1}}}
  proven: {kind: gate, require: {verdict: warning}, before: publish, to: {red: stop}}
  stop: {kind: end, say: "Ask the owners of this code first."}
"""


class Worked:
    """A driver with that workflow; `outcomes` are what the node `check` comes to, one after the other."""

    def __init__(self, store: Store, folder: Path, *outcomes: str, workflow: str = _WORKFLOW) -> None:
        self.store, self.clock, self._outcomes = store, Clock(), [*outcomes]
        store.clock = self.clock
        (folder / "workflow.yml").write_text(workflow)

        def done(_run: str, _state: RunState, _claimed: ClaimedRun) -> PhaseResult[Event]:
            found = Verdict(base_sha="0", head_sha="1")
            verdict = VerdictReached(verdict=found)
            return PhaseResult("done", events=[verdict] if _state.phase == "verify" else [])

        def checked(_run: str, state: RunState, _claimed: ClaimedRun) -> PhaseResult[Event]:
            assert state.node == "check"
            return PhaseResult(self._outcomes.pop(0), "It is not right.")

        handlers: dict[Phase, PhaseHandler] = {**dict.fromkeys(PHASES, done), "node": checked}
        graph = load_workflow(folder / "workflow.yml")
        self.driver = Driver(
            store, handlers, worker="w", lease_seconds=30, changed=lambda run, following: None, graph=graph
        )
        found = start(store)
        assert found is not None
        self.run_id = found

    def drive(self) -> RunState:
        return drive(self.store, self.driver, self.clock, self.run_id)

    def control(self, **event: object) -> None:
        assert self.store.control(self.run_id, Controlled.model_validate(event))

    def ended(self) -> list[str]:
        entries = self.store.entries(self.run_id)
        return [entry.event.node_or_phase for entry in entries if isinstance(entry.event, PhaseFinished)]


def test_a_run_waits_at_a_human_node_and_goes_on_when_it_is_approved(
    sqlite_store: Store, tmp_path: Path
) -> None:
    worked = Worked(sqlite_store, tmp_path, "done")
    state = worked.drive()
    assert state.waits_for_approval and state.waits_at_node == "sign_off" and state.reason == "May it?"
    worked.control(control="resume", by="wim")
    state = worked.drive()
    assert state.status == "done" and state.signed == {"sign_off": "wim"} and not state.approved_by
    assert worked.ended()[-4:] == ["verify", "check", "sign_off", "publish"]


def test_what_a_node_finds_goes_back_as_often_as_it_may(sqlite_store: Store, tmp_path: Path) -> None:
    worked = Worked(sqlite_store, tmp_path, "red", "red")
    state = worked.drive()
    assert (state.status, state.reason) == ("gave_up", "It is not right.")
    again = ["implement", "verify", "check"]
    assert worked.ended()[-7:] == [*again, *again, "conclude"]


def test_a_retry_of_publish_does_not_pass_the_nodes_by(sqlite_store: Store, tmp_path: Path) -> None:
    worked = Worked(sqlite_store, tmp_path, "red", "red", "done")
    assert worked.drive().status == "gave_up"
    worked.control(control="retry", by="wim", phase="publish")
    state = worked.drive()
    assert state.waits_at_node == "sign_off"
    entered = [
        entry.event for entry in sqlite_store.entries(worked.run_id) if isinstance(entry.event, NodeEntered)
    ]
    assert [each.node for each in entered] == ["check", "check", "check"]


def test_a_run_takes_no_more_steps_than_its_workflow_allows(sqlite_store: Store, tmp_path: Path) -> None:
    again = "before: publish, to: {red: {to: implement, at_most: 9}}}"
    text = _WORKFLOW.replace("most_steps: 30", "most_steps: 10").replace("before: publish}", again, 1)
    worked = Worked(sqlite_store, tmp_path, "red", "red", "red", workflow=text)
    state = worked.drive()
    assert state.status == "failed" and state.code == "SCN-6006"
    assert fold(sqlite_store.entries(worked.run_id)).finished[-1].phase == "conclude"


def test_a_gate_sees_what_the_phase_before_it_found_and_an_end_says_why(
    sqlite_store: Store, tmp_path: Path
) -> None:
    worked = Worked(sqlite_store, tmp_path, workflow=_GATES)
    state = worked.drive()
    assert (state.status, state.reason) == ("gave_up", "Ask the owners of this code first.")
    assert worked.ended()[-5:] == ["verify", "small", "proven", "stop", "conclude"]


def test_a_gate_lets_pass_what_it_requires_and_sends_the_rest_back_once(
    sqlite_store: Store, tmp_path: Path
) -> None:
    workflow = _GATES.replace("under: 9", "over: 9")
    worked = Worked(sqlite_store, tmp_path, workflow=workflow)
    state = worked.drive()
    said = "The gate `small` lets only a run pass with turns over 9."
    assert (state.status, state.reason) == ("gave_up", said)
    assert worked.ended()[-7:] == ["implement", "verify", "small", "implement", "verify", "small", "conclude"]
    told = [
        entry.event.text
        for entry in sqlite_store.entries(worked.run_id)
        if isinstance(entry.event, PromptSent) and entry.event.reason == "node"
    ]
    assert told == [f"{said} Change what is in the way, then call `finish`."]
