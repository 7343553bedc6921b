"""Commands in comments: who may give them, what they do, and the one answer that each gets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.forges.forge import Account, Repo
from bot.intake.deliveries import Deliveries
from bot.log.events import APPROVAL, Adjusted, Controlled, PhaseFinished, RunEnded
from bot.log.state import RunState, fold
from runners.contract.events import SpecWritten
from runners.contract.workorder import WorkOrder
from runners.git.command import git
from tests.support.inbox import REPO, Inbox

HERE = Repo(full_name=REPO)


class Talk(Inbox):
    """An issue with people who talk on it; each comment is handled at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self.forge.create_repo(
            "octo/talk", {"ada": "admin", "mia": "maintain", "wim": "write", "tri": "read"}
        )
        self.repo = Repo(full_name="octo/talk")
        self.number = self.forge.open_issue("octo/talk", "tri", "Add a thing", "Please").number
        self.configure("")

    def configure(self, config: str) -> None:
        """Commit a `.scenarist.yml` to the default branch."""
        tree = self.folder / "tree"
        tree.mkdir(exist_ok=True)
        (tree / ".scenarist.yml").write_text(config or "version: 1\n")
        path = self.forge.path("octo/talk")
        git("add", "--all", git_dir=path, work_tree=tree)
        git("commit", "--quiet", "--allow-empty", "-m", "x", git_dir=path, work_tree=tree)

    def label(self, name: str = "agent:implement") -> str | None:
        self.forge.add_label("octo/talk", self.number, name, "ada")
        return self.handler().handle(self.ids[-1])

    def say(self, by: str, text: str, number: int = 0) -> str | None:
        self.forge.add_comment("octo/talk", number or self.number, by, text)
        return self.handler().handle(self.ids[-1])

    @property
    def outcome(self) -> str:
        return str(self.row(self.ids[-1]).outcome)

    def replies(self, number: int = 0) -> list[str]:
        """What the bot has answered."""
        found = self.forge.comments(self.repo, number or self.number)
        return [each.body.partition("\n")[2] for each in found if "scenarist:reply" in each.body]

    def steered(self, run: str) -> list[Controlled | Adjusted]:
        """What commands have changed about a run."""
        events = (entry.event for entry in self.store.entries(run))
        return [each for each in events if isinstance(each, Controlled | Adjusted)]

    def state(self, run: str) -> RunState:
        return fold(self.store.entries(run))


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    talk = Talk(tmp_path)
    yield talk
    talk.store.engine.dispose()


def test_a_command_is_acknowledged_and_answered_once(talk: Talk) -> None:
    run = talk.label()
    assert run is not None
    talk.say("wim", "/agent pause")
    assert talk.state(run).status == "paused"
    assert talk.replies() == ["Paused. `/agent resume` continues the run."]
    assert len(talk.forge._all("octo/talk", "reaction to comment")) == 1
    talk.say("wim", "@scenarist resume")
    assert talk.state(run).status == "active" and len(talk.replies()) == 2


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/agent frobnicate", "I do not know the command `frobnicate`."),
        ("/agent canel", "Did you mean `/agent cancel`?"),
        ("/agent resume", "No run is paused here."),
        ("/agent retry sleeping", "There is no phase `sleeping`"),
        ("/agent rebase", "for pull requests only"),
        ("/agent budget many", "how many turns"),
        ("/agent model two words", "name one runtime"),
        ("/agent kind wish", "A kind is one of"),
        ("/agent split", "not proposed to split"),
        ("/agent approve", "No scenarios wait"),
        ("/agent status", "no run here"),
    ],
)
def test_what_has_no_effect_gets_one_polite_sentence(talk: Talk, text: str, answer: str) -> None:
    talk.say("wim", text)
    (reply,) = talk.replies()
    assert answer in reply


def test_quotes_and_code_are_no_commands(talk: Talk) -> None:
    run = talk.label()
    assert run is not None
    talk.say("wim", "> /agent cancel\n\n```\n/agent cancel\n```\nWhat does this do?")
    assert talk.state(run).status == "active" and talk.outcome == "told the run"
    talk.say("wim", "That is all.\n/agent cancel")
    assert talk.state(run).finished[-1].outcome == "cancelled"


def test_somebody_without_rights_is_refused_in_one_comment(talk: Talk) -> None:
    run = talk.label()
    assert run is not None
    for text in ("/agent cancel", "/agent pause"):
        talk.say("tri", text)
        assert talk.outcome == "the sender has no write access"
    (reply,) = talk.replies()
    assert reply.startswith("Sorry, tri: `/agent pause` is for people with write access")
    assert talk.state(run).status == "active"


def test_the_author_of_an_issue_may_ask_how_it_stands(talk: Talk) -> None:
    talk.label()
    talk.say("tri", "/agent status")
    assert "has queued this" in talk.replies()[0]
    other = talk.forge.open_issue("octo/talk", "ada", "Another", "Please").number
    talk.say("tri", "/agent status", other)
    assert talk.replies(other)[0].startswith("Sorry, tri")


def test_a_repository_says_who_may_do_what(talk: Talk) -> None:
    talk.configure("may: {cancel: [maintain], pause: [read], explain: ['team:leads']}\n")
    run = talk.label()
    assert run is not None
    talk.say("wim", "/agent cancel")
    assert talk.outcome == "the sender may not give this command" and talk.state(run).status == "active"
    talk.say("tri", "/agent pause")
    assert talk.state(run).status == "paused"
    talk.say("ada", "/agent explain")
    assert "the team leads" in talk.replies()[-1]
    talk.say("mia", "/agent cancel")
    assert talk.state(run).finished[-1].outcome == "cancelled"


def test_a_file_that_cannot_be_read_leaves_the_defaults(talk: Talk) -> None:
    talk.configure("may: {cancel: [everybody]}\n")
    run = talk.label()
    assert run is not None
    talk.say("tri", "/agent cancel")
    assert talk.state(run).status == "active"
    talk.say("wim", "/agent cancel")
    assert talk.state(run).finished[-1].outcome == "cancelled"


def test_a_run_is_begun_without_a_label(talk: Talk) -> None:
    run = talk.say("wim", "/agent implement")
    assert run is not None and talk.replies() == []
    requested = talk.state(run).requested
    assert requested is not None and not requested.approval
    assert talk.say("wim", "/agent spec") is None
    assert "already active here" in talk.replies()[0]
    talk.say("wim", "/agent cancel")
    claim = talk.store.claim(run, ["conclude"], 60)
    assert claim is not None
    talk.store.finish_phase(claim, [RunEnded(status="cancelled")], {}, phase="conclude", status="cancelled")
    run = talk.say("wim", "/agent spec")
    assert run is not None
    requested = talk.state(run).requested
    assert requested is not None and requested.approval


def test_budget_and_model_are_changed_for_the_run(talk: Talk) -> None:
    run = talk.label()
    assert run is not None
    talk.say("wim", "/agent budget 150 turns\n/agent model large")
    state = talk.state(run)
    assert (state.turns, state.model) == (150, "large")
    assert state.settings.budget.turns == 150
    assert sum(isinstance(entry.event, Adjusted) for entry in talk.store.entries(run)) == 2


def test_several_commands_are_carried_out_in_their_order_and_answered_in_one_reply(talk: Talk) -> None:
    run = talk.label()
    assert run is not None
    talk.say("wim", "Wait.\n/agent pause\n/agent budget 150\n/agent nonsense\n/agent resume\nThanks!")
    controls = [each.event for each in talk.store.entries(run) if isinstance(each.event, Controlled)]
    assert [each.control for each in controls] == ["pause", "resume"]
    state = talk.state(run)
    assert (state.status, state.turns) == ("active", 150)
    (reply,) = talk.replies()
    starts = [line.partition(":")[0] for line in reply.splitlines() if line]
    assert starts == ["`/agent pause`", "`/agent budget`", "`/agent nonsense`", "`/agent resume`"]
    assert "Paused." in reply and "may take 150 turns" in reply and "I do not know" in reply


def test_each_of_several_commands_needs_its_own_right(talk: Talk) -> None:
    talk.configure("may: {cancel: [maintain], pause: [read]}\n")
    run = talk.label()
    assert run is not None
    talk.say("tri", "/agent pause\n/agent cancel\n/agent nonsense")
    assert talk.state(run).status == "paused"
    (reply,) = talk.replies()
    assert "`/agent pause`: Paused." in reply and "`/agent cancel`: Sorry, tri" in reply
    assert "nonsense" not in reply
    assert talk.say("wim", "/agent status\n/agent implement") is None
    assert "`/agent implement`: A run is already active here" in talk.replies()[-1]


def test_a_run_that_one_of_several_commands_begins_is_named(talk: Talk) -> None:
    run = talk.say("wim", "/agent implement\n/agent budget 40")
    assert run is not None and talk.state(run).turns == 40
    assert "`/agent implement`: A run begins" in talk.replies()[0]
    assert run in talk.outcome and "adjusted" in talk.outcome


@pytest.mark.parametrize("killed", ["before the answer", "after the answer"])
@pytest.mark.parametrize(
    "text",
    [
        "/agent pause\n/agent budget 40",
        "/agent cancel\n/agent implement\n/agent model large",
        "/agent pause\n/agent resume\n/agent frobnicate",
    ],
)
def test_a_killed_worker_carries_out_and_answers_each_command_once(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, text: str, killed: str
) -> None:
    before = talk.label()
    assert before is not None

    def dies(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        if killed == "after the answer":
            patch.setattr(Deliveries, "close", dies)
        else:
            patch.setattr(type(talk.forge), "upsert_comment", dies)
        with pytest.raises(SystemExit):
            talk.say("wim", text)
    first = talk.replies()
    runs = [run.id for run in talk.store.list_runs(9)]
    logs = {run: talk.steered(run) for run in runs}
    talk.handler().handle(talk.ids[-1])
    assert {run: talk.steered(run) for run in logs} == logs and len(runs) == len(talk.store.list_runs(9))
    (reply,) = talk.replies()
    assert first in ([], [reply])
    assert "no run" not in reply.lower() and "already active" not in reply
    assert all(" ".join(each.split()[:2]) in reply for each in text.splitlines())
    # What comes in another comment is carried out again.
    talk.say("wim", "/agent budget 41")
    assert talk.state(talk.store.list_runs(1)[0].id).turns == 41


def test_explain_tells_what_was_tried_and_why_it_ended(talk: Talk) -> None:
    run = talk.label()
    assert run is not None
    claim = talk.store.claim(run, ["prepare"], 60)
    assert claim is not None
    reason = "The repository <b>is</b> gone, @everyone."
    events = [PhaseFinished(phase="prepare", outcome="failed", reason=reason, code="SCN-1003")]
    talk.store.finish_phase(
        claim, [*events, RunEnded(status="failed")], {}, phase="conclude", status="failed"
    )
    talk.say("wim", "/agent explain")
    (reply,) = talk.replies()
    assert "- prepare: failed" in reply and "SCN-1003" in reply and "**What it cost:** 0 turns" in reply
    assert "<b>" not in reply and "@everyone" not in reply


def test_help_lists_what_is_heard_there(talk: Talk) -> None:
    talk.say("wim", "/agent")
    (reply,) = talk.replies()
    assert "`/agent approve [scenarios]`" in reply and "A plain comment is enough" in reply
    assert "/agent rebase" not in reply


def test_a_draft_is_made_ready(talk: Talk) -> None:
    pull = talk.forge.ensure_pull(
        talk.repo, head="agent/1-add-a-thing", base="main", title="T", body="B", draft=True
    )
    talk.say("wim", "/agent ready", pull.number)
    assert not talk.forge.pull(talk.repo, pull.number).draft
    talk.say("wim", "/agent ready", pull.number)
    assert "ready for review already" in talk.replies(pull.number)[-1]


def test_the_bot_does_not_hear_itself(talk: Talk) -> None:
    run = talk.label()
    assert run is not None
    talk.forge._put("octo/talk", "member", 1, 0, {"login": "scenarist[bot]", "permission": "admin"})
    talk.say("scenarist[bot]", "/agent cancel")
    assert talk.outcome == "our own doing" and talk.state(run).status == "active"
    assert not [entry for entry in talk.store.entries(run) if isinstance(entry.event, Controlled)]


def test_an_edit_is_no_command_unless_it_adds_one(talk: Talk) -> None:
    run = talk.label()
    assert run is not None
    talk.say("wim", "/agent pause")
    talk.say("wim", "/agent resume")
    comments = talk.forge.comments(talk.repo, talk.number)
    pause = next(each.id for each in comments if each.body == "/agent pause")

    def edit(text: str) -> None:
        talk.forge.edit_comment("octo/talk", pause, "wim", text)
        talk.handler().handle(talk.ids[-1])

    edit("/agent pause\n\nSorry for the noise.")
    assert talk.state(run).status == "active" and talk.outcome == "no run to tell"
    edit("Never mind.")
    assert talk.outcome == "no run to tell" and talk.state(run).status == "active"
    edit("Never mind.\n/agent cancel")
    assert talk.state(run).finished[-1].outcome == "cancelled"


def test_other_bots_and_other_scenarists_are_not_heard(talk: Talk) -> None:
    run = talk.label()
    assert run is not None
    talk.say("wim", "<!-- scenarist:status:01ABC -->\n/agent cancel")
    assert talk.outcome == "another bot" and talk.state(run).status == "active"
    talk.forge.account = lambda repo, login: Account(id=1003, login=login, bot=True)
    talk.forge._deliver(
        "octo/talk",
        "issue_comment",
        "created",
        "wim",
        issue=talk.forge._issue_payload("octo/talk", talk.number),
        comment={"id": 999, "body": "/agent cancel", "created_at": ""},
    )
    talk.handler().handle(talk.ids[-1])
    assert talk.state(run).status == "active"


def reviewed(talk: Talk, pull: int, *texts: str) -> str | None:
    """Submit a review with a remark for each text; the run that it begins."""
    remarks = [("calc.py", number, text) for number, text in enumerate(texts, 1)]
    talk.forge.submit_review("octo/talk", pull, "wim", "Nearly.", remarks)
    return talk.handler().handle(talk.ids[-1])


def own_pull(talk: Talk) -> int:
    return talk.forge.ensure_pull(
        talk.repo, head="agent/1-add-a-thing", base="main", title="T", body="B"
    ).number


def test_a_pull_request_is_not_revised_without_end(talk: Talk) -> None:
    pull = own_pull(talk)
    for number in range(21):
        run = reviewed(talk, pull, f"Again {number}.")
        if run is None:
            break
        talk.clock.now += 3
        claim = talk.store.claim(run, ["prepare"], 60)
        assert claim is not None
        talk.store.finish_phase(claim, [RunEnded(status="gave_up")], {}, phase="conclude", status="gave_up")
    assert number == 20 and talk.outcome == "too many revisions within an hour"
    said = [each.body for each in talk.forge.comments(talk.repo, pull)]
    assert sum("too often" in each for each in said) == 1
    talk.clock.now += 3700
    assert reviewed(talk, pull, "Once more.") is not None


def hear_all(talk: Talk, known: int) -> list[str]:
    """Handle all deliveries after the first `known` ones; the runs that they begin."""
    return [run for each in talk.ids[known:] if (run := talk.handler().handle(each))]


def order_of(talk: Talk, run: str) -> WorkOrder:
    requested = talk.state(run).requested
    assert requested is not None
    return requested.order


def test_commands_in_a_review_are_carried_out_and_are_no_remarks(talk: Talk) -> None:
    pull, known = own_pull(talk), len(talk.ids)
    remarks = [
        ("calc.py", 1, "Call it value."),
        ("calc.py", 2, "@scenarist status"),
        ("calc.py", 3, "/agent help"),
    ]
    talk.forge.submit_review("octo/talk", pull, "wim", "Nearly.\n/agent budget 90", remarks)
    (run,) = hear_all(talk, known)
    order = order_of(talk, run)
    assert order.review_body == "Nearly."
    assert [each.comments[0].body for each in order.threads] == ["Call it value."]
    (said,) = talk.replies(pull)
    assert "may take 90 turns in all" in said and talk.state(run).turns == 90
    answers = {
        each.thread: each.body
        for each in talk.forge.review_comments(talk.repo, pull)
        if talk.forge.is_ours(talk.repo, each.author)
    }
    assert len(answers) == 2 and any("These commands apply to" in each for each in answers.values())
    assert len(talk.forge._all("octo/talk", "reaction to review_comment")) == 3


def test_a_review_of_commands_alone_begins_no_revision(talk: Talk) -> None:
    pull = own_pull(talk)
    run = reviewed(talk, pull, "Call it value.")
    assert run is not None
    known = len(talk.ids)
    talk.forge.submit_review("octo/talk", pull, "wim", "/agent pause", [("calc.py", 4, "/agent cancel")])
    assert hear_all(talk, known) == []
    assert talk.state(run).finished[-1].outcome == "cancelled" and len(talk.store.list_runs(9)) == 1


def test_a_command_to_revise_in_a_thread_is_a_remark_of_the_thread(talk: Talk) -> None:
    pull, known = own_pull(talk), len(talk.ids)
    talk.forge.submit_review("octo/talk", pull, "wim", "", [("calc.py", 1, "/agent revise Call it value.")])
    (run,) = hear_all(talk, known)
    (thread,) = order_of(talk, run).threads
    assert "Call it value." in thread.comments[0].body and talk.replies(pull) == []


def test_a_strangers_command_in_a_review_is_refused(talk: Talk) -> None:
    pull = own_pull(talk)
    run = reviewed(talk, pull, "Call it value.")
    assert run is not None
    known = len(talk.ids)
    remarks = [("calc.py", 1, "/agent cancel"), ("calc.py", 2, "/agent pause")]
    talk.forge.submit_review("octo/talk", pull, "tri", "/agent cancel", remarks)
    assert hear_all(talk, known) == [] and talk.state(run).status == "active"
    (refusal,) = talk.replies(pull)
    assert refusal.startswith("Sorry, tri") and talk.state(run).finished == ()


def waits(talk: Talk, run: str) -> None:
    """Let a run's scenarios wait for an approval."""
    claim = talk.store.claim(run, ["prepare"], 60)
    assert claim is not None
    spec = SpecWritten(path="f", sha256="0", source="model", scenarios=("S",), commit="c")
    asks = PhaseFinished(phase="specify", outcome=APPROVAL, reason="The scenarios wait.")
    pauses = Controlled(control="pause", by="", reason="The scenarios wait.")
    talk.store.finish_phase(claim, [spec, asks, pauses], {}, phase="implement", status="paused")
    assert talk.state(run).waits_for_approval


def test_scenarios_are_approved_by_those_who_may_and_by_nothing_else(talk: Talk) -> None:
    talk.configure("may: {approve: [maintain]}\n")
    run = talk.label()
    assert run is not None
    waits(talk, run)
    talk.say("wim", "/agent approve")
    assert "people with maintain access" in talk.replies()[-1]
    talk.say("wim", "/agent resume")
    assert "waits for an approval: `/agent approve`" in talk.replies()[-1]
    talk.say("wim", "/agent implement")
    assert "already active" in talk.replies()[-1]
    talk.forge.remove_label("octo/talk", talk.number, "agent:implement", "wim")
    talk.forge.add_label("octo/talk", talk.number, "agent:implement", "wim")
    talk.handler().handle(talk.ids[-1])
    assert talk.state(run).waits_for_approval
    talk.say("mia", "/agent resume")
    assert talk.state(run).waits_for_approval, "that is another command"
    talk.say("mia", "/agent implement")
    assert talk.state(run).approved_by == "mia"


def test_a_kind_comes_too_late_for_scenarios_that_are_written(talk: Talk) -> None:
    run = talk.label()
    assert run is not None
    talk.say("wim", "/agent kind bug")
    assert talk.replies()[-1] == "The run treats the issue as that kind."
    spec = SpecWritten(path="f", sha256="0", source="model", scenarios=("S",), commit="c")
    talk.store.note(run, spec)
    talk.say("wim", "/agent kind bug")
    assert "written already" in talk.replies()[-1]
