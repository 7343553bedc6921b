"""Steps of a conversation with the bot, on whatever forge the run was started for."""

import json
import re
from typing import Any

from behave import given, then, when

from runners.git.command import git, is_ancestor
from runners.models.chat import Reply
from tests.standins.chat_server import call
from tests.support.conversation import Conversation
from tests.support.harness import CALC, DOUBLE_STEPS, doubling, draft, says
from tests.support.waiting import wait_until

TEXT = "It should double numbers: 4 becomes 8."
DOUBLE = CALC["calc.py"] + "\n\ndef double(n):\n    return 2 * n\n"
TRIPLE = CALC["calc.py"] + "\n\ndef triple(n):\n    return 3 * n\n"
BOTH = DOUBLE + "\n\ndef triple(n):\n    return 3 * n\n"


def talk(context: Any) -> Conversation:
    found: Conversation = context.talk
    return found


# -- an issue ----------------------------------------------------------------------------------------


@given("an issue of the conversation")
def issue(context: Any) -> None:
    context.issue = talk(context).open_issue("Double numbers", TEXT)


@given("an issue of the conversation without a text")
def issue_without_text(context: Any) -> None:
    context.issue = talk(context).open_issue("Double numbers", "")


@given('a model that waits until somebody comments "{text}"')
def waiting_model(context: Any, text: str) -> None:
    def stopped(_request: dict[str, Any]) -> Any:
        talk(context).say("issue", context.issue, "wim", text)
        wait_until(lambda: talk(context).end("issue", context.issue), "the end")
        return says(call("give_up", reason="Nobody should hear this."))

    context.bot.script([draft()], [stopped])


@when('a {who} sets the label "{name}"')
def sets_label(context: Any, who: str, name: str) -> None:
    talk(context).label(context.issue, name, {"developer": "wim", "reader": "tri"}[who])


@when('a developer answers "{text}"')
def answers(context: Any, text: str) -> None:
    talk(context).say("issue", context.issue, "wim", text)


@when("the bot's own comment is delivered, and one of another bot")
def bots_talk(context: Any) -> None:
    talk(context).bots_say(context.issue, "I need an answer, too.")


@then("the bot asks the developer for an {what}")
def asks(context: Any, what: str) -> None:
    talk(context).end("issue", context.issue)
    found = [each.body for each in talk(context).said("issue", context.issue)]
    questions = [body for body in found if "<!-- scenarist:question:" in body]
    assert len(questions) == 1 and "@wim" in questions[0], found
    assert what in questions[0], questions


@then("a pull request is open for it")
def is_open(context: Any) -> None:
    state = talk(context).end("issue", context.issue)
    assert state.status == "done", (state.code, state.reason, state.verdict and state.verdict.problems)
    assert state.published is not None
    context.pull = state.published.pull
    found = talk(context).pull(context.pull)
    assert found.state == "open" and f"Closes #{context.issue}\n" in found.body
    assert state.verdict is not None and found.head_sha == state.verdict.head_sha


@then("there is no run for it")
def no_run(context: Any) -> None:
    assert talk(context).runs("issue", context.issue) == []


@then("there is one run for it")
def one_run_for_it(context: Any) -> None:
    assert len(talk(context).runs("issue", context.issue)) == 1


@then("there is no pull request for it")
def no_pull_for_it(context: Any) -> None:
    head = f"agent/{context.issue}-double-numbers"
    assert talk(context).forge.pulls_by_head(talk(context).repo, head) == []


@then('its status comment says "{text}"')
def status_of_issue(context: Any, text: str) -> None:
    talk(context).end("issue", context.issue)
    said = [each.body for each in talk(context).said("issue", context.issue)]
    assert any("<!-- scenarist:status:" in body and text in body for body in said), said


# -- a pull request ----------------------------------------------------------------------------------


@given("a pull request of the bot")
def pull_request(context: Any) -> None:
    """The first one is made by a run; those after it are copies of that run."""
    here = talk(context)
    if not hasattr(here, "made"):
        context.bot.script([draft()], doubling())
        number = here.open_issue("Double numbers", TEXT)
        here.label(number, "agent:implement", "wim")
        state = here.end("issue", number)
        assert state.status == "done", (state.code, state.reason)
        here.made = here.runs("issue", number)[0]
    _opened(context)


@given("a pull request of the bot that is kept up to date")
def kept_up_to_date(context: Any) -> None:
    pull_request(context)
    _opened(context, auto_rebase=True)


def _opened(context: Any, *, auto_rebase: bool = False) -> None:
    here = talk(context)
    context.pull = here.opened_like(here.made, "Double numbers", TEXT, auto_rebase=auto_rebase)
    context.before = here.pull(context.pull).head_sha
    context.asked = len(context.bot.chat.requests)


@given("a model that makes doubling work for text too")
def repairing_model(context: Any) -> None:
    code = DOUBLE.replace("2 * n", "n + n")
    finish = says(call("finish", summary="Works for text too."))
    context.bot.script([], [says(call("write_file", path="calc.py", content=code)), finish])


@given('a model that changes the code and gives up with "{reason}"')
def model_that_gives_up(context: Any, reason: str) -> None:
    code = DOUBLE.replace("2 * n", "n + n")
    written = says(call("write_file", path="calc.py", content=code))
    context.bot.script([], [written, says(call("give_up", reason=reason))])


@given('a model that names the number "{name}", and answers only when it is asked again')
def forgetful_model(context: Any, name: str) -> None:
    renamed, finish = _renaming(context, name)

    def forgetful(request: dict[str, Any]) -> Any:
        asked = any("the review has no answer" in each["content"] for each in request["messages"])
        return finish(request) if asked else says(call("finish", summary="Renamed."))

    context.bot.script([], [renamed, forgetful])


@given('a model that names the number "{name}", and somebody who pushes while it works')
def overtaken_model(context: Any, name: str) -> None:
    renamed, finish = _renaming(context, name)

    def overtaken(request: dict[str, Any]) -> Any:
        head = talk(context).pull(context.pull).head
        if not hasattr(context, "by_hand"):
            context.by_hand = talk(context).push(head, {"notes.txt": "By hand.\n"})
        return finish(request)

    context.bot.script([], [renamed, overtaken])


def _renaming(context: Any, name: str) -> list[Any]:
    code = CALC["calc.py"] + f"\n\ndef double({name}):\n    return 2 * {name}\n"

    def finish(_request: dict[str, Any]) -> Any:
        threads = sorted({each.thread for each in talk(context).remarks(context.pull)})
        answers = [{"thread": thread, "answer": f"It is called {name}."} for thread in threads]
        return says(call("finish", summary="Renamed.", answers=answers))

    return [says(call("write_file", path="calc.py", content=code)), finish]


@when('a developer remarks "{text}" on line {line:d} of "{path}"')
def remarks(context: Any, text: str, line: int, path: str) -> None:
    talk(context).review(context.pull, "wim", "", [(path, line, text)])


@given("a model that does what the review asks, but for thread {number:d}")
def declining_model(context: Any, number: int) -> None:
    """The threads are counted from 1; where each is a revision of its own, the text tells."""

    def finish(request: dict[str, Any]) -> Any:
        asked = [each for each in talk(context).remarks(context.pull) if each.id == each.thread]
        shown = [each for each in asked if f"Review thread {each.id} " in request["messages"][1]["content"]]
        declined = asked[number - 1].id if len(asked) >= number else 0
        found = [
            {"thread": each.id, "answer": "Not here, it would be hard to read.", "done": False}
            if each.id == declined
            else {"thread": each.id, "answer": "Done."}
            for each in shown
        ]
        return says(call("finish", summary="As the review asks.", answers=found))

    code = CALC["calc.py"] + "\n\ndef double(value):\n    return 2 * value\n"
    context.bot.script([], [says(call("write_file", path="calc.py", content=code)), finish])


@given('an analyst that writes the scenario "{name}" for the first remark')
def analyst(context: Any, name: str) -> None:
    """Where each remark is a revision of its own, the others ask for nothing new."""

    def remarks(request: dict[str, Any]) -> Reply:
        first = min(each.id for each in talk(context).remarks(context.pull))
        asked = f"Review thread {first} " in request["messages"][1]["content"]
        steps = [{"keyword": "When", "text": "I halve 8"}, {"keyword": "Then", "text": "I get 4"}]
        found = [{"thread": first, "replaces": "", "name": name, "steps": steps}]
        return Reply(text=json.dumps({"remarks": found if asked else []}))

    context.bot.chat.remarks = remarks


@given("a model that implements halving")
def halving_model(context: Any) -> None:
    steps = DOUBLE_STEPS.replace("double", "halve").replace("doubling", "halving")
    code = DOUBLE + "\n\ndef halve(n):\n    return n // 2\n"

    def finish(_request: dict[str, Any]) -> Any:
        asked = [each.id for each in talk(context).remarks(context.pull) if each.id == each.thread]
        answers = [{"thread": each, "answer": "Done."} for each in asked]
        return says(call("finish", summary="Halves, too.", answers=answers))

    written = [
        call("write_file", path="calc.py", content=code),
        call("write_file", path="features/steps/halve_steps.py", content=steps),
    ]
    context.bot.script([], [says(*written), finish])


@then('"{name}" failed before the revision and passes now')
def proven_since(context: Any, name: str) -> None:
    body = talk(context).pull(context.pull).body
    row = rf"^\| scenario \| {name}<br>[^|]* \| 🔴 failed(?: \(before this revision\))? \| 🟢 passed \|$"
    assert re.search(row, body, re.MULTILINE), body
    runs = [context.bot.state(run) for run in talk(context).runs("pull", context.pull)]
    first = next(state for state in reversed(runs) if state.spec is not None and state.spec.demands)
    assert first.verdict is not None and first.verdict.before_sha == context.before
    assert [each.name for each in first.verdict.scenarios if each.revised and each.proven] == [name]


@then('the pull request shows that "{text}" led to "{name}"')
def led_to(context: Any, text: str, name: str) -> None:
    body = talk(context).pull(context.pull).body
    assert f"| {text} | wim | {name} |" in body, body
    assert any(f"Proven by: “{name}”." in answer for answer in talk(context).answers(context.pull))


@given("a model that answers whatever it is asked")
def answering_model(context: Any) -> None:
    declining_model(context, 99)


@when("two developers review at once")
def two_reviews(context: Any) -> None:
    talk(context).review(context.pull, "wim", "", [("calc.py", 5, "Call it value.")])
    talk(context).review(context.pull, "ada", "", [("calc.py", 6, "Keep it short.")])


@then("one revision has done what both asked")
def one_revision(context: Any) -> None:
    states = [context.bot.state(run) for run in talk(context).runs("pull", context.pull)]
    assert [state.status for state in states] == ["done", "cancelled"]
    assert len(talk(context).answers(context.pull)) == 2


@given("a model that changes nothing")
def idle_model(context: Any) -> None:
    def finish(_request: dict[str, Any]) -> Any:
        asked = [each.id for each in talk(context).remarks(context.pull) if each.id == each.thread]
        answers = [{"thread": each, "answer": "Applied."} for each in asked]
        return says(call("finish", summary="The suggestion is applied.", answers=answers))

    context.bot.script([], [finish])


@when("a developer reviews with")
def reviews(context: Any) -> None:
    remarks = [(row["path"], int(row["line"]), row["text"]) for row in context.table]
    talk(context).review(context.pull, "wim", "", remarks)


@when('a developer suggests "{text}" for line {line:d} of "{path}"')
def suggests(context: Any, text: str, line: int, path: str) -> None:
    body = f"Simpler:\n```suggestion\n{text}\n```"
    talk(context).review(context.pull, "wim", "", [(path, line, body)])


@then('every thread is answered, and the one about "{text}" with "{answer}"')
def each_answered(context: Any, text: str, answer: str) -> None:
    found = talk(context).remarks(context.pull)
    for root in (each for each in found if each.id == each.thread):
        said = [each.body for each in found if each.thread == root.id and each.id != root.id]
        assert len(said) == 1, (root.body, said)
        assert (answer in said[0]) is (root.body == text), (root.body, said)


@then('line {line:d} of "{path}" is "{text}"')
def line_is(context: Any, line: int, path: str, text: str) -> None:
    content = talk(context).show(talk(context).pull(context.pull).head_sha, path)
    assert content.splitlines()[line - 1] == text, content


@when('a {who} comments "{text}" on the pull request')
def comments(context: Any, who: str, text: str) -> None:
    talk(context).say("pull", context.pull, {"developer": "wim", "reader": "tri"}[who], text)


@then("the bot refuses once, politely")
def refuses(context: Any) -> None:
    context.bot.idle()
    said = [each.body for each in talk(context).said("pull", context.pull)]
    assert len(said) == 1 and "Sorry, tri" in said[0], said


@then("the bot says why, once")
def says_why(context: Any) -> None:
    context.bot.idle()
    said = [each.body for each in talk(context).said("issue", context.issue)]
    assert len(said) == 1 and "Sorry, tri: a run starts only when" in said[0], said


@then("a new commit is on the pull request")
def new_commit(context: Any) -> None:
    state = talk(context).end("pull", context.pull)
    assert state.status == "done", (state.code, state.reason, state.verdict and state.verdict.problems)
    context.state, context.newest = state, talk(context).pull(context.pull).head_sha
    assert context.newest != context.before
    assert is_ancestor(talk(context).bare, context.before, context.newest)


@then("no new commit is on the pull request")
def no_new_commit(context: Any) -> None:
    if talk(context).runs("pull", context.pull):
        talk(context).end("pull", context.pull)
    assert talk(context).pull(context.pull).head_sha == context.before


@then("nothing more is done")
def nothing_more(context: Any) -> None:
    assert len(talk(context).runs("pull", context.pull)) == 1
    assert talk(context).pull(context.pull).head_sha == context.newest


@then("the person's commit is the newest on the pull request")
def by_hand(context: Any) -> None:
    talk(context).end("pull", context.pull)
    assert talk(context).pull(context.pull).head_sha == context.by_hand


@then("each remark is acknowledged")
def each_acknowledged(context: Any) -> None:
    found = [each for each in talk(context).remarks(context.pull) if each.id == each.thread]
    assert found and all(talk(context).acknowledged(context.pull, each.id) for each in found)


@then("the threads are answered with")
def threads_answered(context: Any) -> None:
    found = talk(context).answers(context.pull)
    assert len(found) == len(context.table.rows), found
    for row, body in zip(context.table, found, strict=True):
        assert row["answer"] in body, found


@then('the status comment of the pull request says "{text}"')
def status_of_pull(context: Any, text: str) -> None:
    talk(context).end("pull", context.pull)
    said = [each.body for each in talk(context).said("pull", context.pull)]
    assert any("<!-- scenarist:status:" in body and text in body for body in said), said


@then("it proves its scenario")
@then("it still proves its scenario")
def proves(context: Any) -> None:
    body = talk(context).pull(context.pull).body
    assert "🔴 failed | 🟢 passed" in body and "Doubling" in body, body


@then("the model was not asked")
def model_not_asked(context: Any) -> None:
    assert len(context.bot.chat.requests) == context.asked


@then('the model is shown "{text}"')
def model_shown(context: Any, text: str) -> None:
    talk(context).end("pull", context.pull)
    model_told(context, text)


@then('the model was told "{text}"')
def model_told(context: Any, text: str) -> None:
    asked = context.bot.chat.requests[context.asked :]
    assert any(text in message["content"] for each in asked for message in each["messages"]), asked


# -- CI ----------------------------------------------------------------------------------------------


@given('the CI job "{name}" fails on main')
def fails_on_main(context: Any, name: str) -> None:
    main = git("rev-parse", "main", git_dir=talk(context).bare)
    talk(context).end_job(context.pull, name, "failed", "", main)


@when('the CI job "{name}" fails with "{log}"')
def job_fails(context: Any, name: str, log: str) -> None:
    talk(context).end_job(context.pull, name, "failed", log, "")


@when('the CI job "{name}" passes')
def job_passes(context: Any, name: str) -> None:
    talk(context).end_job(context.pull, name, "passed", "", "")


@then('the bot says that "{name}" is left alone')
def left_alone(context: Any, name: str) -> None:
    context.bot.idle()
    said = [each.body for each in talk(context).said("pull", context.pull)]
    notes = [body for body in said if "<!-- scenarist:ci:" in body]
    assert len(notes) == 1 and f"| `{name}` |" in notes[0], said
    assert talk(context).runs("pull", context.pull) == []


# -- the target branch -------------------------------------------------------------------------------


@given('somebody pushes "{path}" to main')
@when('somebody pushes "{path}" to main')
def pushes(context: Any, path: str) -> None:
    context.main = talk(context).push("main", {path: "VALUE = 1\n"})


@given('somebody pushes another function at the end of "{path}" to main')
@when('somebody pushes another function at the end of "{path}" to main')
def pushes_function(context: Any, path: str) -> None:
    context.main = talk(context).push("main", {path: TRIPLE})


@given("a model that resolves the conflict")
def resolving_model(context: Any) -> None:
    finish = says(call("finish", summary="Both functions are kept."))
    context.bot.script([], [says(call("write_file", path="calc.py", content=BOTH)), finish])


@given("a model that leaves the conflict as it is")
def careless_model(context: Any) -> None:
    again = [says(call("finish", summary=f"Looks fine, {number}.")) for number in range(6)]
    context.bot.script([], again)


@then("the pull request has everything of main")
def has_main(context: Any) -> None:
    state = talk(context).end("pull", context.pull)
    assert state.status == "done", (state.code, state.reason, state.verdict and state.verdict.problems)
    head = talk(context).pull(context.pull).head_sha
    assert is_ancestor(talk(context).bare, context.main, head)
    assert is_ancestor(talk(context).bare, context.before, head)


@then("it has no conflict markers")
def no_markers(context: Any) -> None:
    assert talk(context).show(talk(context).pull(context.pull).head_sha, "calc.py") == BOTH.strip()
