"""Logs of runs for tests: one for each state that people can see. Together they have every kind of event."""

from collections.abc import Iterable

from bot.log.events import (
    Adjusted,
    Asked,
    Controlled,
    Entry,
    Event,
    Labelled,
    NodeEntered,
    PhaseDelayed,
    PhaseFinished,
    PhaseStarted,
    Prepared,
    Published,
    PullEnded,
    RunEnded,
    RunRequested,
    StatusPosted,
    Superseded,
    WorkLeft,
)
from gherkin.issue.slicing import Slice
from runners.contract.events import (
    Advised,
    BaselineReached,
    BaseSuite,
    Committed,
    Condensed,
    Instructed,
    ModelReplied,
    ModelRouted,
    ModelSwitched,
    NodeReported,
    PromptSent,
    Remark,
    Reviewed,
    SpecWritten,
    SplitProposed,
    Surveyed,
    ToolCalled,
    VerdictReached,
)
from runners.contract.job import RunSettings
from runners.contract.team_events import (
    CandidateBegun,
    CandidateChosen,
    CandidateEnded,
    CandidateStep,
    Critiqued,
    PairEnded,
    PairTurn,
    PairTurnEnded,
    RevisionJudged,
    Score,
)
from runners.contract.workorder import WorkOrder
from runners.models.chat import Reply, TokenUsage, ToolCall
from runners.verify.findings import Bite
from runners.verify.verdict import Counts, Evidence, Failure, Problem, ScenarioProof, Suite, Verdict

BASE, HEAD = "a" * 40, "b" * 40
FEATURE_TEXT = (
    "Feature: Delivery\n\n  Scenario: Free from 50 euros\n    When I check out\n    Then I pay 50 euros\n"
)

ORDER = WorkOrder(
    kind="implement",
    number=12,
    title="Free delivery for large orders",
    body="Delivery is free when the goods cost 50 euros or more.",
    requested_by="ada",
    requested_at="2026-11-27T10:00:00Z",
)
REQUESTED = RunRequested(forge="github", repo="octo/shop", order=ORDER, order_sha256=ORDER.digest)
PREPARED = Prepared(base=BASE, base_branch="main", branch="agent/12-free", head=None, settings=RunSettings())
SPEC = SpecWritten(
    path="features/issue_12_free_delivery.feature",
    sha256="0" * 64,
    source="model",
    scenarios=("Free from 50 euros",),
    commit="c" * 40,
)
COMMITTED = Committed(
    commit=HEAD, summary="Adds `checkout(cart)`.\n\nDelivery is free from 50 euros on.", audit="d" * 64
)
PROOF = ScenarioProof(
    name="Free from 50 euros",
    path=SPEC.path,
    line=3,
    base="failed",
    head="passed",
    base_message="no module shop.checkout",
)
GREEN = Verdict(
    base_sha=BASE,
    head_sha=HEAD,
    scenarios=(PROOF,),
    suites=(Suite(name="pytest", base=Counts(passed=14), head=Counts(passed=17)),),
    bite=Bite(tried=5, killed=4, survivors=("shop/checkout.py:14: >= became >",)),
    evidence=(
        Evidence(
            commit=BASE,
            command="python -m behave features/issue_12_free_delivery.feature",
            exit_code=1,
            seconds=0.4,
            log_sha256="e" * 64,
            purpose="scenarios on the old code",
        ),
    ),
)
RED = GREEN.model_copy(
    update={
        "scenarios": (PROOF.model_copy(update={"head": "failed", "head_message": "AssertionError: 54.90"}),),
        "failures": (
            Failure(
                test="tests/test_cart.py::test_total",
                message="assert 1 == 2",
                path="tests/test_cart.py",
                line=4,
            ),
        ),
        "problems": (
            Problem(code="scenario-not-green", message="“Free from 50 euros” does not pass with the change."),
            Problem(
                code="regression",
                message="tests/test_cart.py::test_total passed before the change and does not now.",
            ),
        ),
        "bite": None,
    }
)
REPLIED = ModelReplied(
    phase="implement",
    reply=Reply(
        text="I look at the cart first.",
        model="qwen3",
        usage=TokenUsage(prompt_tokens=2000, completion_tokens=50),
    ),
    seconds=2.0,
)
CALLED = ToolCalled(
    call=ToolCall(id="1", name="read_file", arguments='{"path": "shop/cart.py"}'),
    ok=True,
    text="class Cart: ...",
    seconds=0.1,
    role="edit",
)


def entries(events: Iterable[Event]) -> list[Entry]:
    """Return the events as a log, with two seconds between one event and the next."""
    return [
        Entry(seq=seq, at=f"2026-11-27T10:{seq // 30:02}:{seq % 30 * 2:02}.000+00:00", event=event)
        for seq, event in enumerate(events, start=1)
    ]


def started(phase: str) -> PhaseStarted:
    return PhaseStarted.model_validate({"phase": phase, "worker": "vm:1"})


def finished(phase: str, outcome: str = "done", reason: str = "", code: str = "") -> PhaseFinished:
    return PhaseFinished.model_validate({"phase": phase, "outcome": outcome, "reason": reason, "code": code})


BASELINE = BaselineReached(
    base="a" * 40,
    environment_s=2.5,
    suites=(BaseSuite(name="pytest", counts=Counts(passed=3), seconds=1.0),),
)

QUEUED: list[Event] = [REQUESTED]
PREPARING: list[Event] = [*QUEUED, StatusPosted(comment=1), started("prepare")]
SPECIFYING: list[Event] = [*PREPARING, PREPARED, finished("prepare"), started("specify")]
SPECIFIED: list[Event] = [*SPECIFYING, SPEC, finished("specify")]
IMPLEMENTING: list[Event] = [*SPECIFIED, started("implement"), REPLIED, CALLED]
VERIFYING: list[Event] = [*IMPLEMENTING, COMMITTED, finished("implement"), started("verify")]
SENT_BACK: list[Event] = [
    *VERIFYING,
    VerdictReached(verdict=RED),
    PromptSent(reason="verdict", text="The verification failed."),
    finished("verify", "red"),
    started("implement"),
]
VERIFIED: list[Event] = [*VERIFYING, VerdictReached(verdict=GREEN), finished("verify")]
PUBLISHED: list[Event] = [
    *VERIFIED,
    started("publish"),
    Published(commit=HEAD, pull=13, url="https://forge.example/13"),
    finished("publish"),
    RunEnded(status="done"),
]


def ended(before: Iterable[Event], phase: str, outcome: str, reason: str, code: str = "") -> list[Event]:
    """Return the events of a run that ends with `phase`, whose outcome is `outcome`."""
    status = {"needs_info": "needs_info", "failed": "failed", "cancelled": "cancelled"}.get(
        outcome, "gave_up"
    )
    told = [finished(phase, outcome, reason, code), started("conclude"), finished("conclude")]
    return [*before, *told, RunEnded.model_validate({"status": status})]


# Each state of a run that people can see.
STATES: dict[str, list[Event]] = {
    "the suites of the base were run": [*SPECIFYING, started("baseline"), BASELINE, finished("baseline")],
    "queued": QUEUED,
    "preparing": PREPARING,
    "delayed": [
        *PREPARING,
        PhaseDelayed(phase="prepare", code="SCN-1001", reason="The forge answered 502.", seconds=30),
    ],
    "specifying": SPECIFYING,
    "waits for approval": [
        *SPECIFYING,
        SPEC,
        finished("specify", "approval", "The scenarios wait."),
        Controlled(control="pause", by="", reason="The scenarios wait."),
        Asked(comment=2, key="approval-9"),
        Labelled(label="agent:waiting"),
    ],
    "implementing": IMPLEMENTING,
    "told": [
        *IMPLEMENTING,
        Instructed(comment=7, by="wim", text="Vouchers first."),
        Condensed(step="digest", kept=4, tokens=30_000, summary="Read the cart."),
        Advised(reason="stuck", model="opus", text="Look at the limit."),
        ModelRouted(role="driver", runtime="small", reason="it was tried in 1 runs"),
        ModelSwitched(role="driver", to="large", reason="It was stuck."),
        Adjusted(by="wim", turns=150, model="large"),
    ],
    "verifying": VERIFYING,
    "sent back": SENT_BACK,
    "another candidate": [
        *SENT_BACK,
        CandidateEnded(number=1, runtimes=("small",), status="red", problems=2),
        CandidateBegun(number=2, runtime="large", reason="the one before could not be proven"),
    ],
    "candidates side by side": [
        *IMPLEMENTING,
        REPLIED.model_copy(update={"candidate": 2}),
        COMMITTED.model_copy(update={"candidate": 2}),
        CandidateStep(phase="implement", outcome="done", candidate=2),
        VerdictReached(verdict=GREEN, candidate=2),
        CandidateEnded(number=2, runtimes=("large",), status="green", head=HEAD, candidate=2),
        CandidateEnded(number=1, runtimes=("small",), status="none", candidate=1),
        CandidateChosen(number=2, reason="it is the only one of 2 that was proven"),
    ],
    "a candidate is taken": [
        *VERIFYING,
        VerdictReached(verdict=GREEN),
        CandidateEnded(number=1, runtimes=("small",), status="green", head=HEAD),
        CandidateChosen(number=1, reason="it changes the fewest lines"),
    ],
    "paused": [*IMPLEMENTING, Controlled(control="pause", by="wim", reason="wim said so in a comment.")],
    "resumed": [
        *IMPLEMENTING,
        Controlled(control="pause", by="wim"),
        Controlled(control="resume", by="wim"),
    ],
    "retried": [
        *ended(SENT_BACK, "implement", "gave_up", "The run has used its 80 turns."),
        Controlled(control="retry", by="wim", phase="implement"),
        started("implement"),
    ],
    "cancelled": [
        *IMPLEMENTING,
        Controlled(control="cancel", by="ada", reason="The label was taken off by ada."),
        *ended([], "implement", "cancelled", "The label was taken off by ada."),
    ],
    "asks": ended(IMPLEMENTING, "implement", "needs_info", "Does a voucher count before or after the limit?"),
    "too large": ended(
        [*SPECIFYING, SplitProposed(stories=(Slice(title="First"),))],
        "specify",
        "needs_info",
        "The issue is too large.\n\n1. First\n   - one thing\n2. Second\n\nComment `/agent split`.",
    ),
    "gave up early": ended(PREPARING, "prepare", "gave_up", "Pull request #4 is closed by now."),
    "gave up": ended(IMPLEMENTING, "implement", "gave_up", "The run has used its 80 turns."),
    "never green": ended(
        [*VERIFYING, VerdictReached(verdict=RED)], "verify", "gave_up", "The verification failed 4 times."
    ),
    "work was kept": [
        *ended(IMPLEMENTING, "implement", "gave_up", "The run has used its 80 turns."),
        WorkLeft(commit=HEAD, pull=14, url="https://forge.example/14"),
    ],
    "surveyed": [
        *PREPARING,
        Surveyed(base=HEAD, seconds=12.5, seen=("Python 3.11.", "pytest: 14 tests, 14 passed in 2 s.")),
    ],
    "failed": ended(
        PREPARING, "prepare", "failed", "GitHub refused. Check that the App is installed.", "SCN-1002"
    ),
    "reviewed": [
        *VERIFIED,
        Reviewed(
            head=HEAD,
            model="opus",
            remarks=(Remark(path="shop/checkout.py", line=3, text="Why `>`?", serious=True),),
        ),
        started("publish"),
    ],
    "a pair": [
        *IMPLEMENTING,
        PairTurn(number=1, driver="small", navigator="large", step="test", path="test_x.py", content="x"),
        PromptSent(reason="pair", text="Make it pass."),
        PairTurnEnded(number=1, outcome="green"),
        PairTurn(number=2, driver="small", navigator="large", step="scenario", scenario="Free from 50 euros"),
        PairTurnEnded(number=2, outcome="green"),
        PairTurn(number=3, driver="large", navigator="small", step="object", reason="Why `>`?"),
        PairTurnEnded(number=3, outcome="green"),
        PairEnded(outcome="approved", by="small", reason="it reads well"),
        COMMITTED,
        VerdictReached(verdict=GREEN),
        started("publish"),
    ],
    "at a node": [
        *VERIFIED,
        NodeEntered(node="checks"),
        PhaseStarted(phase="node", worker="w1", node="checks"),
        NodeReported(node="licences", within="checks", head=HEAD, outcome="done", exit_code=0),
        NodeReported(
            node="security_review",
            within="checks",
            head=HEAD,
            outcome="red",
            findings=(Remark(path="shop/checkout.py", line=3, text="Why `>`?", serious=True),),
            model="opus",
        ),
        PhaseFinished(phase="node", outcome="red", node="checks"),
    ],
    "waits for a person": [
        *VERIFIED,
        PhaseFinished(phase="node", outcome="approval", reason="May this be published?", node="sign_off"),
        Controlled(control="pause", by="", reason="May this be published?"),
    ],
    "approved by a person": [
        *VERIFIED,
        PhaseFinished(phase="node", outcome="approval", reason="May this be published?", node="sign_off"),
        Controlled(control="pause", by="", reason="May this be published?"),
        Controlled(control="resume", by="wim"),
        started("publish"),
    ],
    "critiqued": [
        *VERIFIED,
        Critiqued(
            head=HEAD,
            runtime="opus",
            model="opus",
            scores=(Score(criterion="style", score=1, reason="Why `>`?", path="shop/checkout.py", line=3),),
        ),
        PromptSent(reason="critique", text="- style 1"),
        started("implement"),
        VerdictReached(verdict=RED),
        RevisionJudged(taken="first", reason="the verdict on the revision is red", revision="c" * 40),
        started("publish"),
    ],
    "published": PUBLISHED,
    "answered": [
        *ended(IMPLEMENTING, "implement", "needs_info", "Does a voucher count before or after the limit?"),
        Superseded(run="01J00000000000000000000009"),
    ],
    "merged": [*PUBLISHED, PullEnded(pull=13, became="merged", by="wim", commit="f" * 40)],
    "merged after edits": [
        *PUBLISHED,
        PullEnded(pull=13, became="edited", by="wim", commit="f" * 40, edits=2),
    ],
    "closed": [*PUBLISHED, PullEnded(pull=13, became="closed", by="wim")],
    "reverted": [
        *PUBLISHED,
        PullEnded(pull=13, became="merged", by="wim", commit="f" * 40),
        PullEnded(pull=13, became="reverted", by="ada", commit="9" * 40),
    ],
}
