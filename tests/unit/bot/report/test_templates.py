"""The texts for people, rendered by a renderer that is not ours: their structure, what acts in them, and
their size."""

import re
from typing import Any

import pytest
from hypothesis import given, settings

from bot.forges.forge import SMALLEST_BODY, Capabilities
from bot.log.events import Event, RunRequested, WorkLeft
from bot.log.state import RunState, fold
from bot.report.escape import inline
from bot.report.proof import Surroundings, mutation_text
from bot.report.reporter import Reporter
from gherkin.issue.hidden import visible
from runners.contract.events import Committed, Remark, Reviewed, SpecWritten, VerdictReached
from runners.contract.workorder import EarlierRun, FailedJob, ReviewDemand
from runners.verify.findings import Bite, Findings, HeldOut, Tally
from runners.verify.verdict import (
    ChangedTests,
    Counts,
    Doubt,
    Evidence,
    Failure,
    OracleChange,
    Problem,
    ScenarioProof,
    Suite,
    Verdict,
)
from tests.support import gfm, logs
from tests.support.strangers import EVIL, ON_GITLAB, acted, acts

RUN = "01J00000000000000000000000"
REPORTER = Reporter("https://bot.example")
PATCH = "diff --git a/a.py b/a.py\n+x\n"


def state_of(events: list[Event]) -> RunState:
    return fold(logs.entries(events))


def status(name: str, **more: Any) -> str:
    return REPORTER.status_text(RUN, state_of(logs.STATES[name]), logs.FEATURE_TEXT, **more)


STEPS = [
    "Fetch the repository",
    "Write the scenarios",
    "Run the tests on the old code",
    "Write the code",
    "Verify the change",
    "Open the pull request",
]


@pytest.mark.parametrize("name", logs.STATES)
def test_a_status_is_a_sentence_and_a_table_of_steps(name: str) -> None:
    text = status(name, patch=PATCH)
    rows = gfm.table_rows(text)
    assert [row[0] for row in rows[1:]] == STEPS and all(len(row) == 3 for row in rows)
    assert gfm.headings(text) == []
    first = next(token for token in gfm.tokens(text) if token.type == "inline")
    assert re.match(r"Scenarist (?:is|has|was|asked|gave up|could not|opened)", gfm.shown(first)), (
        first.content
    )
    assert "  " not in gfm.shown(first) and "None" not in text


@pytest.mark.parametrize(
    ("name", "says", "row"),
    [
        ("queued", "has queued this", ["Fetch the repository", "", ""]),
        (
            "preparing",
            "fetching the repository, since 10:00 UTC. Next, the scenarios",
            ["Fetch the repository", "▶️"],
        ),
        (
            "delayed",
            "fetching",
            ["Fetch the repository", "⏳", "tried again after 30 s: The forge answered 502."],
        ),
        ("sent back", "round 2 of at most", ["Verify the change", "↩️", "sent back with 2 findings"]),
        (
            "waits for approval",
            "the scenarios need an approval",
            ["Write the scenarios", "✋", "waiting for an answer"],
        ),
        ("asks", "is waiting for an answer", ["Write the code", "✋", "waiting for an answer"]),
        (
            "answered",
            "asked a question; a newer run has begun.",
            ["Write the code", "✋", "a question was asked"],
        ),
        ("paused", "is paused", ["Write the code", "⏸️", "stopped here"]),
        ("cancelled", "The label was taken off by ada", ["Write the code", "⏹️", "cancelled here"]),
        ("gave up", "gave up", ["Write the code", "❌", "ended here"]),
        (
            "published",
            "opened #13: all scenarios failed before the change and pass now.",
            ["Open the pull request", "✅"],
        ),
        ("merged", "and pass now. It was merged by wim as it was.", ["Open the pull request", "✅"]),
        ("merged after edits", "It was merged by wim after 2 commits of others.", ["Open the pull request"]),
        ("closed", "It was closed by wim without a merge.", ["Open the pull request", "✅"]),
        ("reverted", "It was merged, and later reverted by ada.", ["Open the pull request", "✅"]),
    ],
)
def test_a_status_says_where_the_run_stands(name: str, says: str, row: list[str]) -> None:
    text = status(name)
    assert says in gfm.words(text)
    assert any(each[: len(row)] == row for each in gfm.table_rows(text)), gfm.table_rows(text)


@pytest.mark.parametrize("name", ["gave up", "gave up early", "never green", "failed"])
def test_a_run_that_ends_without_a_pull_request_says_what_to_do(name: str) -> None:
    words = gfm.words(status(name, patch=PATCH))
    for part in ("What was tried:", "What was found:", "Where the work is:", "What to do next:"):
        assert words.count(part) == 1
    assert PATCH.strip() in status(name, patch=PATCH)


def test_a_run_that_asks_says_what_was_tried_and_where_the_work_is() -> None:
    words = gfm.words(status("asks", patch=PATCH))
    for part in (
        "What was tried:",
        "Where the work is:",
        "The question is in a separate comment",
        "Answer here:",
    ):
        assert words.count(part) == 1


def test_a_run_whose_question_was_answered_asks_no_more() -> None:
    assert "Answer here" in status("asks") and "Answer here" not in status("answered")


def test_what_was_found_is_a_list() -> None:
    assert gfm.items(status("never green")) == [
        "“Free from 50 euros” does not pass with the change.",
        "tests/test_cart.py::test_total passed before the change and does not now.",
    ]


def test_the_bots_own_code_marks_are_code() -> None:
    assert "/agent retry implement" in gfm.codes(status("never green"))
    assert "/agent resume" in gfm.codes(status("paused"))
    assert "/agent pause" in gfm.codes(status("implementing"))


def asked(name: str, reporter: Reporter = REPORTER) -> str:
    question = reporter.question(RUN, state_of(logs.STATES[name]), logs.FEATURE_TEXT)
    assert question is not None and question.text.startswith(question.marker)
    return question.text


def test_an_approval_is_asked_for_in_a_comment_that_mentions_who_asked() -> None:
    text = asked("waits for approval")
    assert gfm.words(text).startswith("@ada, please approve these scenarios")
    assert gfm.blocks(text) == [logs.FEATURE_TEXT], "and they are not folded away"
    assert "<details>" not in text
    assert {"/agent approve", "/agent revise"} <= set(gfm.codes(text)) and len(gfm.items(text)) == 3


def test_a_question_is_asked_in_a_comment_that_says_how_to_answer() -> None:
    text = asked("asks")
    assert "@ada" in text and "Does a voucher count before or after the limit?" in gfm.words(text)
    assert "a plain comment is enough" in text
    split = asked("too large")
    assert gfm.items(split) == ["First", "one thing", "Second"] and "/agent split" in gfm.codes(split)


def test_nothing_is_asked_of_anybody_else() -> None:
    asking = {name for name, events in logs.STATES.items() if REPORTER.question(RUN, state_of(events))}
    assert asking == {"waits for approval", "asks", "too large", "waits for a person"}


def test_where_nobody_hears_comments_nobody_is_asked_for_one() -> None:
    deaf = Reporter(comments=False, label="go")
    for name in logs.STATES:
        text = deaf.status_text(RUN, state_of(logs.STATES[name]))
        question = deaf.question(RUN, state_of(logs.STATES[name]))
        assert "/agent" not in text.replace("Comment `/agent split`", ""), name
        assert question is None or "`go`" in question.text


@pytest.mark.parametrize("login", ["ada", "ada-l", "a.b_c"])
def test_people_are_mentioned_by_their_login(login: str) -> None:
    assert f"@{login}," in question_to(login)


@pytest.mark.parametrize("login", ["app[bot]", "x y", "@everyone", "ada\n/close", ""])
def test_what_is_no_persons_login_is_not_mentioned(login: str) -> None:
    assert "@" not in question_to(login).replace("@\u2060", "")


def question_to(login: str) -> str:
    order = logs.ORDER.model_copy(update={"requested_by": login})
    requested = logs.REQUESTED.model_copy(update={"order": order})
    question = REPORTER.question(RUN, state_of([requested, *logs.STATES["asks"][1:]]))
    assert question is not None
    return question.text


def pull(name: str = "reviewed", **changes: Any) -> str:
    state = state_of(logs.STATES[name])
    assert state.verdict is not None
    around = changes.pop("around", Surroundings())
    state = state.model_copy(update={"verdict": state.verdict.model_copy(update=changes)})
    return REPORTER.pull_text(RUN, state, logs.FEATURE_TEXT, around)[1]


def test_a_pull_request_opens_with_the_change_then_shows_the_proof_in_one_table() -> None:
    text = pull()
    assert gfm.headings(text) == ["Proof", "Before you merge"]
    words = gfm.words(text)
    assert words.startswith("The change, in the words of the model that wrote it:\nAdds checkout(cart).")
    assert "checkout(cart)" in gfm.codes(text)
    rows = [row for row in gfm.table_rows(text) if len(row) == 4]
    assert rows == [
        ["", "", "before", "after"],
        ["scenario", "Free from 50 eurosred → green · mutants 4/5", "🔴 failed", "🟢 passed"],
        ["all tests", "pytest", "14 passed", "17 passed"],
    ]
    assert "\nCloses #12\n" in text and "noticed 4 of 5 small faults" in words
    folded = text[text.index("<details>") :]
    assert "Before you merge" not in folded and text.count("<details>") == text.count("</details>") == 3


def test_rows_of_evidence_say_what_they_were_for() -> None:
    rows = [row for row in gfm.table_rows(pull()) if len(row) == 6]
    assert rows[1][:2] == ["scenarios on the old code", "old"] and rows[1][3:5] == ["1", "0.4"]


def test_warnings_are_a_list_and_name_each_thing_once() -> None:
    text = pull(
        oracle=(OracleChange(path="conftest.py", what="it configures tests"),),
        changed_tests=ChangedTests(
            paths=("tests/test_a.py", "tests/test_b.py"),
            grown=("tests/test_b.py",),
            added=("tests/conftest.py",),
        ),
        dependency_files=("pyproject.toml",),
        around=Surroundings(
            drift="`main` has moved on.", others=[("pyproject.toml", ""), ("Makefile", ""), ("l", "a link")]
        ),
    )
    items = gfm.items(text[text.index("## Before") : text.index("<details>")])
    assert len(items) == len(set(items)) == 9
    assert items[0] == "main has moved on."
    assert any("conftest.py: it configures tests" in item for item in items)
    assert any(
        item == "Existing tests were changed: tests/test_a.py. Their old versions still pass."
        for item in items
    )
    assert any(item == "Configuration of tests was added: tests/conftest.py." for item in items)
    assert any(item.endswith("were changed: Makefile, l (a link).") for item in items)
    example = HeldOut(scenario="Free", behaviour="Free", text="When I pay", outcome="passed")
    assert "Before you merge" not in pull("published", bite=None, held_out=(example,))
    unmatched = example.model_copy(update={"outcome": "unmatched"})
    assert "No further examples could be run" in pull("published", bite=None, held_out=(unmatched,))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bite": None}, "the change has no line of Python that a small fault can be put into"),
        (
            {"bite": logs.GREEN.bite and logs.GREEN.bite.model_copy(update={"tried": 0, "survivors": ()})},
            "no fault could be tried",
        ),
        (
            {"doubts": (Doubt(code="no-test-ran", suite="pytest", message="No test of pytest ran."),)},
            "⚠️ No test of pytest ran.",
        ),
        ({"kind": "chore", "scenarios": (), "bite": None}, "Documentation only"),
        ({"kind": "refactoring"}, "This is a refactoring"),
        ({"shadow": True}, "not part of this change"),
    ],
)
def test_a_pull_request_says_what_is_special(changes: dict[str, Any], says: str) -> None:
    assert says in gfm.words(pull(**changes))


def test_a_file_that_the_base_cannot_load_is_one_row() -> None:
    new = ScenarioProof(name="", path="tests/test_shop.py", line=0, base="error", head="passed", tests=5)
    edited = ScenarioProof(
        name="test_a", path="tests/t.py", line=0, base="failed", head="passed", existed=True
    )
    rows = gfm.table_rows(pull(tests=(new, edited)))
    assert ["new tests", "tests/test_shop.py (5 tests)", "🔴 cannot be loaded", "🟢 passed"] in rows
    assert ["changed test", "tests/t.py::test_a", "🔴 failed", "🟢 passed"] in rows


def test_the_experiments_on_a_scenario_stand_below_its_name() -> None:
    findings = Findings(flips=Tally(good=3, tried=3), sabotage=Tally(good=1, tried=2))
    text = pull(scenarios=(logs.PROOF.model_copy(update={"findings": findings}),))
    assert [
        "scenario",
        "Free from 50 eurosred → green · flips 3/3 · sabotage 1/2 · mutants 4/5",
        "🔴 failed",
        "🟢 passed",
    ] in gfm.table_rows(text)
    assert "breaks of the new code (sabotage)" in gfm.words(text) and "sabotage" not in pull()


def test_what_could_not_be_tried_is_said_with_its_reason() -> None:
    why = "“Then I pay <b>50</b> euros” has no value that could be changed."
    tried = Findings(flips=Tally(good=1, tried=1), untried=(why,))
    text = pull(scenarios=(logs.PROOF.model_copy(update={"findings": tried}),))
    assert "What could not be tried (1)" in text
    assert f"Free from 50 euros: {why}" in gfm.words(text)
    assert "No experiment could be made" not in text
    none = logs.PROOF.model_copy(update={"findings": Findings(untried=(why,))})
    assert "No experiment could be made on these scenarios: Free from 50 euros." in gfm.words(
        pull(scenarios=(none,))
    )


def test_step_definitions_beside_the_change_are_shown_folded() -> None:
    source = "from behave import then\n\n\n@then('all is well')\ndef well(context):\n    assert shop.open\n"
    around = Surroundings(steps=[("steps/shop_steps.py", source)])
    text = pull(shadow=True, around=around)
    assert "The step definitions, which are not part of this change (1)" in text
    assert "steps/shop_steps.py" in gfm.codes(text) and source in text
    assert "step definitions" not in pull(shadow=True)


def test_a_draft_says_that_it_is_not_proven_and_what_is_missing() -> None:
    state = state_of(
        logs.ended(logs.STATES["sent back"], "verify", "gave_up", "The verification failed 3 times.")
    )
    title, text = REPORTER.unfinished_text(RUN, state, logs.HEAD)
    assert title == "[not proven] Free delivery for large orders"
    words = gfm.words(text)
    assert "This change is not proven. Do not merge it as it is. Scenarist gave up" in words
    assert gfm.items(text)[:1] == ["“Free from 50 euros” does not pass with the change."]
    assert "For #12" in text and "Closes" not in text and "not verified" not in text
    other = REPORTER.unfinished_text(RUN, state, "e" * 40)[1]
    assert "was not verified" in gfm.words(other) and gfm.items(other) == []


def test_a_check_shows_the_same_table_and_the_findings_as_a_list() -> None:
    title, text = REPORTER.check_text(RUN, logs.RED)
    assert title == "0 of 1 scenario proven" and len(gfm.items(text)) == 2
    assert ["scenario", "Free from 50 eurosred → red", "🔴 failed", "🔴 failed"] in gfm.table_rows(text)


def full(text: str, number: int = 1) -> RunState:
    """A run with a stranger's `text` in every place that takes one, `number` times where there are lists."""
    text = text.encode(errors="replace").decode()  # no store holds halves of characters
    many = [f"{text}{at or ''}" for at in range(number)]
    order = logs.ORDER.model_copy(update={"title": text, "requested_by": text})
    proofs = tuple(ScenarioProof(name=each, path=each, line=1, base="failed", head="passed") for each in many)
    failures = tuple(Failure(test=each, message=each, path=each, line=1) for each in many)
    counts = Counts(passed=1)
    verdict = Verdict(
        base_sha=logs.BASE,
        head_sha=logs.HEAD,
        scenarios=proofs,
        tests=(*proofs, *(proof.model_copy(update={"name": "", "tests": 3}) for proof in proofs)),
        suites=tuple(Suite(name=each, base=counts, head=counts, regressions=failures[:3]) for each in many),
        failures=failures,
        problems=tuple(Problem(code="regression", message=each) for each in many),
        doubts=tuple(Doubt(code="no-test-ran", suite=each, message=each) for each in many),
        changed_tests=ChangedTests(paths=tuple(many), added=tuple(many), failing=failures),
        dependency_files=tuple(many),
        oracle=tuple(OracleChange(path=f"o{each}", what=each) for each in many),
        bite=logs.GREEN.bite and logs.GREEN.bite.model_copy(update={"survivors": tuple(many)}),
        evidence=tuple(
            Evidence(commit=logs.BASE, command=each, exit_code=1, seconds=1, log_sha256="e" * 64, purpose="x")
            for each in many
        ),
    )
    spec = SpecWritten(
        path=text,
        sha256="0",
        source="model",
        scenarios=tuple(many),
        commit="c",
        findings=tuple(many),
        questions=tuple(many),
        demands=(ReviewDemand(thread=1, by=text, text=text, scenarios=tuple(many), replaced=tuple(many)),),
    )
    remarks = tuple(Remark(path=each, line=1, text=each, serious=True) for each in many)
    events: list[Event] = [
        RunRequested(forge="github", repo="o/r", order=order, order_sha256=order.digest),
        *logs.PREPARING[1:],
        logs.PREPARED,
        logs.finished("prepare"),
        spec,
        Committed(commit=logs.HEAD, summary="x"),
        VerdictReached(verdict=verdict),
        Reviewed(head=logs.HEAD, model=text, remarks=remarks),
        logs.started("verify"),
    ]
    return state_of(logs.ended(events, "verify", "gave_up", "x")).model_copy(
        update={
            "approved_by": text,
            "models": (text,),
            "left": WorkLeft(commit=logs.HEAD, reason=f"the verification refuses this in it: {text}"),
        }
    )


def texts(state: RunState, text: str) -> list[str]:
    around = Surroundings(others=[(f"z{text}", "")], steps=[(f"z{text}", text)])
    question = REPORTER.question(RUN, state.model_copy(update={"status": "needs_info"}))
    assert state.verdict is not None and question is not None
    return [
        REPORTER.status_text(RUN, state, text, text),
        REPORTER.unfinished_text(RUN, state, logs.HEAD)[1],
        REPORTER.pull_text(RUN, state, text, around)[1],
        REPORTER.check_text(RUN, state.verdict)[1],
        question.text,
        REPORTER.thread_text(RUN, 1, logs.HEAD, "Done.", quote=text, scenarios=(text,))[1],
    ]


def frame(text: str) -> list[str]:
    """The structure, where inline code and text are the same, and the HTML that is ours."""
    html = [token.content for token in gfm.tokens(text) if token.type == "html_block"]
    marks = [re.sub(r"<(?!/?(?:details|summary|code|!--)\b)", "", each) for each in html]
    shape = [line.partition("text")[0] for line in gfm.outline(text)]
    return [*shape, *(re.sub(r">[^<]*<", "><", mark) for mark in marks)]


@settings(max_examples=30, deadline=None)
@given(ON_GITLAB.filter(lambda text: inline(text).strip() != ""))
def test_no_text_of_the_bot_acts_on_gitlab_but_for_its_own_issue(text: str) -> None:
    for shown in texts(full(text), text):
        assert acted(shown.replace("Closes #12", "")) == []


@settings(max_examples=30, deadline=None)
@given(EVIL.filter(lambda text: inline(text).strip(" \u200b") != "" and not visible(text)[1]))
def test_no_stranger_changes_a_text_but_for_its_words(text: str) -> None:
    for evil, harmless in zip(texts(full(text), text), texts(full("x"), "x"), strict=True):
        assert frame(evil) == frame(harmless)
        assert len(evil) <= SMALLEST_BODY


@settings(max_examples=30, deadline=None)
@given(EVIL)
def test_what_a_model_says_of_its_change_and_why_a_run_ended_acts_on_nothing(text: str) -> None:
    state = full("x").model_copy(update={"reason": text, "committed": Committed(commit="c", summary=text)})
    ours = {"<sub>", "</sub>", "<br>"}
    for shown in texts(state, "x"):
        rest = (
            shown.replace("https://bot.example", "")
            .replace("Closes #12", "")
            .replace("with #12", "")
            .replace("For #12", "")
            .replace("on #12", "")
            .replace("@x,", "")
        )
        found = [each for each in acts(rest) if each not in ours and each != "html_block"]
        assert [each for each in found if each != "link_open"] == []


@pytest.mark.parametrize("text", ["word ", "<&*_|`", "🟢", "a" * 400])
@pytest.mark.parametrize("number", [1, 40, 1000])
def test_no_text_is_larger_than_a_forge_takes(text: str, number: int) -> None:
    for shown in texts(full(text, number), text * 10_000):
        assert len(shown) <= SMALLEST_BODY
        if number == 1000 and "scenario |" in shown:
            assert re.search(r"… and \d+ more", shown)


def test_a_forge_that_takes_more_is_shown_more() -> None:
    state, long = full("word " * 400, 60), "word " * 20_000
    small = REPORTER.pull_text(RUN, state, long)[1]
    large = REPORTER.on(Capabilities(max_body=1_000_000)).pull_text(RUN, state, long)[1]
    assert len(small) <= SMALLEST_BODY < len(large) <= 1_000_000


def spare_lines(text: str) -> list[str]:
    """The places outside of code blocks where more than one line in a row is blank, or where a text ends so."""
    outside = re.sub(r"^(`{3,})\w*\n.*?^\1$", "(code)", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r".*\n\s*\n\s*\n.*|\A\n|\n\Z", outside)


@pytest.mark.parametrize("name", logs.STATES)
def test_no_text_has_spare_blank_lines(name: str) -> None:
    state, code = state_of(logs.STATES[name]), "def a():\n    pass\n\n\ndef b():\n    pass"
    shown = [REPORTER.status_text(RUN, state, logs.FEATURE_TEXT, PATCH)]
    if state.verdict is not None:
        shown += [
            REPORTER.check_text(RUN, state.verdict)[1],
            REPORTER.unfinished_text(RUN, state, logs.HEAD)[1],
        ]
        around = Surroundings(steps=[("steps/a.py", code)])
        pull_text = REPORTER.pull_text(RUN, state, logs.FEATURE_TEXT, around)[1]
        assert code in pull_text or not state.verdict.shadow
        shown.append(pull_text)
    question = REPORTER.question(RUN, state, logs.FEATURE_TEXT)
    shown += [question.text] if question else []
    for text in shown:
        assert spare_lines(text) == []


def test_a_forge_refers_to_pull_requests_by_its_own_sign() -> None:
    elsewhere = REPORTER.on(Capabilities(pull_sign="!"))
    published = state_of(logs.STATES["published"])
    opened, kept = (
        elsewhere.status_text(RUN, state_of(logs.STATES[name])) for name in ("published", "work was kept")
    )
    assert "opened !13:" in opened and "| !13; 4 s |" in opened and "#13" not in opened
    assert "in the draft !14" in kept and "#14" not in kept
    rivals = elsewhere.pull_text(RUN, published, "", Surroundings(rivals=[15]))[1]
    assert "is open: !15." in rivals and "Closes #12" in rivals
    assert "opened #13:" in status("published")


@pytest.mark.parametrize(
    ("what", "task", "did"),
    [
        ({"failed_jobs": (FailedJob(name="typ|es", log="x"),)}, "repair the CI: typ|es failed", "repaired"),
        ({"rebase": True}, "bring the branch up to date", "brought the newest commits of the base into"),
        ({}, "", "revised"),
    ],
)
def test_a_revision_says_what_it_is_for_and_what_it_did(what: dict[str, Any], task: str, did: str) -> None:
    def shown(name: str) -> str:
        state = state_of(logs.STATES[name])
        order = logs.ORDER.model_copy(update={"kind": "revise", "pull": 13, **what})
        assert state.requested is not None
        requested = state.requested.model_copy(update={"order": order})
        return gfm.words(REPORTER.status_text(RUN, state.model_copy(update={"requested": requested})))

    ended, done, verifying = shown("gave up"), shown("published"), shown("verifying")
    assert ("The task is to" in ended) is bool(task) and task in ended
    assert f"Scenarist {did} #13: all scenarios" in done and "The task is" not in done
    assert "Next, the pull request is updated" in verifying and "Update the pull request" in verifying
    assert "Open the pull request" not in ended + done + verifying
    assert ("comment /agent rebase" in ended) is ("rebase" in what)


def test_a_repair_is_not_said_to_be_asked_for() -> None:
    state = state_of(logs.STATES["published"])
    assert state.requested is not None
    asked = [
        "A repair, because the CI failed: types.",
        "To bring the branch up to date with its target.",
        "No.",
    ]
    earlier = tuple(
        EarlierRun(id=str(at), kind="revise", by="wim", request=each, summary=f"S{at}", published=True)
        for at, each in enumerate(asked)
    )
    order = logs.ORDER.model_copy(update={"kind": "revise", "pull": 13, "earlier": earlier})
    told = state.model_copy(update={"requested": state.requested.model_copy(update={"order": order})})
    text = REPORTER.pull_text(RUN, told)[1]
    starts = re.findall(r"^\*\*(.+), in the words of the model", text, re.MULTILINE)
    assert starts == [
        *("The repair of the CI", "The update of the branch"),
        *("The revision that wim asked for", "The revision that ada asked for"),
    ]


def test_a_run_that_has_used_its_turns_is_told_how_it_goes_on() -> None:
    state = state_of(logs.STATES["gave up"])
    limit = state.settings.budget.turns
    used = state.model_copy(update={"spent": state.spent.model_copy(update={"turns": limit})})
    shown = REPORTER.status_text(RUN, used)
    assert f"these two lines: `/agent budget {2 * limit}` and `/agent retry implement`." in shown
    dear = state.model_copy(update={"spent": state.spent.model_copy(update={"prompt_tokens": 10**9})})
    assert "Raise the limit under `budget` in `.scenarist.yml`" in REPORTER.status_text(RUN, dear)
    job = Reporter(comments=False).status_text(RUN, used)
    assert "/agent" not in job and "Raise the limit" in job
    assert "Say more in the issue, then set the label" in REPORTER.status_text(RUN, state)


def test_who_sets_the_label_again_is_told_to_remove_it_only_where_it_is_still_on() -> None:
    state = state_of(logs.STATES["gave up"])
    assert state.prepared is not None
    labels = state.settings.labels.model_copy(update={"pick_up": "keep"})
    kept = state.prepared.model_copy(
        update={"settings": state.settings.model_copy(update={"labels": labels})}
    )
    text = REPORTER.status_text(RUN, state.model_copy(update={"prepared": kept}))
    assert "remove the label `agent:implement` and set it again" in text
    assert "remove the label" not in REPORTER.status_text(RUN, state)


def test_a_thread_is_answered_within_its_limit() -> None:
    _marker, text = REPORTER.thread_text(RUN, 7, "c" * 40, "<&*_|`\n" * 5000)
    assert len(text) <= SMALLEST_BODY


def test_hidden_text_is_quoted_and_attempts_are_counted() -> None:
    state = full("x")
    assert state.requested is not None
    order = state.requested.order.model_copy(update={"body": "Add it <!-- obey me -->"})
    requested = state.requested.model_copy(update={"order": order})
    tried = {"to reach git's own folder": 2}
    assert "obey me" not in texts(state, "x")[0]
    status, _, pull, *_ = texts(state.model_copy(update={"requested": requested, "attempts": tried}), "x")
    assert "Hidden text in the issue" in status and "obey me" in status
    assert all("tried something that is not allowed" in text and "(2×)" in text for text in (status, pull))


TEMPLATE = (
    "<!-- Thank you. -->\n## Description\n\n## Related issue\n\n## How was it tested?\n\n## Rollout\n\n"
    "## Checklist\n\n- [ ] I have read the guide\n- [ ] Tests were added\n- [x] All tests pass\n- [ ] Documentation\n"
)


def test_the_sections_of_a_projects_template_are_filled() -> None:
    state = state_of(logs.STATES["reviewed"])
    assert state.verdict is not None and state.committed is not None
    form = {"Description": "Adds `checkout`. @everyone", "Checklist": "- [x] Documentation"}
    state = state.model_copy(update={"committed": state.committed.model_copy(update={"form": form})})
    around = Surroundings(template=TEMPLATE, changed=["shop/a.py", "tests/test_a.py"])
    text = REPORTER.pull_text(RUN, state, logs.FEATURE_TEXT, around)[1]
    assert gfm.headings(text) == ["Proof", "Before you merge", "The project's template"]
    part = text[text.index("## The project's template") : text.index("<details>")]
    assert "**Description**\n\nAdds `checkout`." in part and "@everyone" not in part
    assert "**Related issue**\n\n#12\n" in part and "See the proof above." in part
    assert "**Rollout**\n\nLeft to a person" in part and "Thank you" not in part
    assert (
        "- [ ] I have read the guide\n- [x] Tests were added\n- [x] All tests pass\n- [ ] Documentation"
        in part
    )
    assert "The project's template" not in pull()


@pytest.mark.parametrize(
    ("mutants", "bite", "kind", "says"),
    [
        (0, None, "feature", "`.scenarist.yml` sets `mutation.mutants` to 0."),
        (5, Bite(tried=0, killed=0), "feature", "no fault could be tried in the time"),
        (5, None, "feature", "no line of Python that a small fault can be put into."),
        (5, None, "chore", ""),
    ],
)
def test_a_missing_line_on_mutations_says_why(mutants: int, bite: Bite | None, kind: str, says: str) -> None:
    mutation = logs.PREPARED.settings.mutation.model_copy(update={"mutants": mutants})
    chosen = logs.PREPARED.settings.model_copy(update={"mutation": mutation})
    prepared = logs.PREPARED.model_copy(update={"settings": chosen})
    state = fold(logs.entries([logs.REQUESTED, prepared]))
    text = mutation_text(state, logs.GREEN.model_copy(update={"bite": bite, "kind": kind}))
    assert says in text if says else text == ""
