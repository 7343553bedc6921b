"""Steps of the bot's own acceptance."""

import re
from typing import Any

from behave import given, then, when

from runners.contract.job import WORK
from runners.git.command import git
from tests.standins.chat_server import call
from tests.support.harness import CALC, DOUBLE_FEATURE, DOUBLE_STEPS, doubling, draft, says


@given('an issue "{title}" that asks for doubling')
def issue(context: Any, title: str) -> None:
    opened = context.bot.forge.open_issue(
        context.repo.full_name, "ada", title, "It should double numbers: 4 becomes 8."
    )
    context.issue = opened.number
    context.asked = len(context.bot.chat.requests)


@given('an issue "{title}" without a text')
def empty_issue(context: Any, title: str) -> None:
    context.issue = context.bot.forge.open_issue(context.repo.full_name, "ada", title, "").number
    context.asked = len(context.bot.chat.requests)


@given("an issue with its own scenario")
def issue_with_scenario(context: Any) -> None:
    body = f"Please.\n\n```gherkin\n{DOUBLE_FEATURE}```\n"
    opened = context.bot.forge.open_issue(context.repo.full_name, "ada", "Double numbers", body)
    context.issue = opened.number
    context.asked = len(context.bot.chat.requests)


@given("a model that implements doubling")
def good_model(context: Any) -> None:
    context.bot.script([draft()], doubling())


@given("a model that gets doubling wrong at first")
def slipping_model(context: Any) -> None:
    wrong = doubling("return n * n")
    mended = [
        says(call("edit_file", path="calc.py", old="n * n", new="2 * n")),
        says(call("finish", summary="Doubles now.")),
    ]
    context.bot.script([draft()], [*wrong, *mended])


@given("a model that never gets doubling right")
def bad_model(context: Any) -> None:
    again = [says(call("finish", summary=f"It works now, attempt {number}.")) for number in range(5)]
    context.bot.script([draft()], [*doubling("return n * n"), *again])


@given("a model that deletes a test that is in its way")
def cheating_model(context: Any) -> None:
    code = CALC["calc.py"] + "\n\ndef double(n):\n    return 2 * n\n"
    finish = [says(call("finish", summary=f"Done, attempt {number}.")) for number in range(5)]
    context.bot.script(
        [draft()],
        [
            says(
                call("write_file", path="calc.py", content=code),
                call("write_file", path="features/steps/double_steps.py", content=DOUBLE_STEPS),
                call("shell", command="rm test_calc.py"),
            ),
            *finish,
        ],
    )


@given("a pull request that was opened for it")
def opened(context: Any) -> None:
    label(context)
    pull_request(context)


@when("a maintainer labels the issue")
def label(context: Any) -> None:
    context.bot.forge.add_label(context.repo.full_name, context.issue, "agent:implement", "ada")


@when('a maintainer labels the issue "{name}"')
def other_label(context: Any, name: str) -> None:
    context.bot.forge.add_label(context.repo.full_name, context.issue, name, "ada")


@when("a reader labels the issue")
def reader_labels(context: Any) -> None:
    context.bot.forge.add_label(context.repo.full_name, context.issue, "agent:implement", "tri")


@when("the forge delivers that event twice more")
def redeliver(context: Any) -> None:
    headers, body = context.bot.sent[-1]
    context.bot.deliver(headers, body)
    context.bot.deliver(headers, body)


@when('a developer asks in a review to name the number "{name}"')
def review(context: Any, name: str) -> None:
    context.before = context.bot.forge.pull(context.repo, context.pull.number)
    code = CALC["calc.py"] + f"\n\ndef double({name}):\n    return 2 * {name}\n"

    def renamed(request: dict[str, Any]) -> Any:
        thread = context.bot.forge.review_comments(context.repo, context.pull.number)[0].id
        assert f"Review thread {thread}" in request["messages"][1]["content"]
        answer = {"thread": thread, "answer": f"It is called {name} now."}
        return says(call("finish", summary="Renamed.", answers=[answer]))

    context.bot.script([], [says(call("write_file", path="calc.py", content=code)), renamed])
    context.bot.forge.submit_review(
        context.repo.full_name, context.pull.number, "wim", "", [("calc.py", 5, f"Call it {name}.")]
    )


@then("a pull request is opened that closes the issue")
def pull_request(context: Any) -> None:
    context.state = context.bot.finished(context.repo, "issue", context.issue)
    problems = context.state.verdict and context.state.verdict.problems
    assert context.state.status == "done", (context.state.code, context.state.reason, problems)
    context.pull = context.bot.forge.pull(context.repo, context.state.published.pull)
    assert context.pull.state == "open"
    assert f"Closes #{context.issue}\n" in context.pull.body
    assert context.pull.head == f"agent/{context.issue}-double-numbers"
    assert context.pull.head_sha == context.state.verdict.head_sha


@then('it shows that "{name}" failed before and passes after')
def proof(context: Any, name: str) -> None:
    row = rf"^\| scenario \| {re.escape(name)}(?:<br>[^|]*)? \| 🔴 failed \| 🟢 passed \|$"
    assert re.search(row, context.pull.body, re.MULTILINE), context.pull.body
    order = context.state.requested.order_sha256
    assert order in context.pull.body
    log = git("log", "--format=%B", context.pull.head, git_dir=context.bot.forge.path(context.repo.full_name))
    assert f"Work-Order: {order}" in log


@then("its check run has succeeded")
def check_run(context: Any) -> None:
    checks = context.bot.forge.checks(context.repo, context.pull.head_sha)
    assert [check.state for check in checks] == ["success"]
    assert [note.level for note in checks[0].annotations] == ["notice"]


def status_comments(context: Any) -> list[str]:
    comments = context.bot.forge.comments(context.repo, context.issue)
    return [comment.body for comment in comments if "<!-- scenarist:status:" in comment.body]


@then('the status comment says "{text}"')
def status_says(context: Any, text: str) -> None:
    comments = status_comments(context)
    assert comments and text in comments[-1], comments


@then('a comment of its own asks "{who}" for an answer')
def question(context: Any, who: str) -> None:
    comments = context.bot.forge.comments(context.repo, context.issue)
    asking = [comment.body for comment in comments if "<!-- scenarist:question:" in comment.body]
    assert len(asking) == 1 and f"{who}, I need an answer" in asking[0], comments


@then("there is one status comment")
def one_status(context: Any) -> None:
    assert len(status_comments(context)) == 1


@then("the model was not asked for scenarios")
def not_asked(context: Any) -> None:
    asked = [str(each.get("response_format", "")) for each in context.bot.chat.requests[context.asked :]]
    # Further examples of the same behaviour are asked for; the scenarios stay as the issue has them.
    assert not [schema for schema in asked if "scenarios" in schema]


@then("the verification failed once before")
def failed_once(context: Any) -> None:
    assert context.state.spent.rounds == 2


@then("nothing happens")
def nothing(context: Any) -> None:
    context.bot.idle()
    assert context.bot.runs_on(context.repo, "issue", context.issue) == []
    assert context.bot.forge.comments(context.repo, context.issue) == []


@then("no run begins, and the bot says why in one comment")
def refused(context: Any) -> None:
    context.bot.idle()
    assert context.bot.runs_on(context.repo, "issue", context.issue) == []
    (said,) = context.bot.forge.comments(context.repo, context.issue)
    assert "a run starts only when" in said.body, said.body


@then("there is one run and one pull request")
def one_run(context: Any) -> None:
    context.bot.idle()
    assert len(context.bot.runs_on(context.repo, "issue", context.issue)) == 1
    one_pull(context)


@then("there is one pull request")
def one_pull(context: Any) -> None:
    assert len(context.bot.forge.pulls_by_head(context.repo, context.pull.head)) == 1


@then("no pull request is opened")
def no_pull(context: Any) -> None:
    context.state = context.bot.finished(context.repo, "issue", context.issue)
    assert context.state.status in ("gave_up", "needs_info"), context.state.status
    heads = git("for-each-ref", "--format=%(refname)", git_dir=context.bot.forge.path(context.repo.full_name))
    assert heads.splitlines() == ["refs/heads/main"]


@then("a draft is opened that says that it is not proven")
def draft_pull(context: Any) -> None:
    context.state = context.bot.finished(context.repo, "issue", context.issue)
    assert context.state.status == "gave_up", context.state.status
    assert context.state.published is None
    pull = context.bot.forge.pull(context.repo, context.state.left.pull)
    assert pull.draft and pull.title.startswith("[not proven] "), pull
    assert "This change is not proven" in pull.body and "Closes #" not in pull.body


@then("the unfinished work is kept with the run")
def kept(context: Any) -> None:
    run = context.bot.runs_on(context.repo, "issue", context.issue)[0]
    assert context.bot.store.artifact(run, WORK)


@then("a new commit is pushed on top")
def pushed(context: Any) -> None:
    state = context.bot.finished(context.repo, "pull", context.pull.number)
    assert state.status == "done", (state.code, state.reason, state.verdict and state.verdict.problems)
    after = context.bot.forge.pull(context.repo, context.pull.number)
    path = context.bot.forge.path(context.repo.full_name)
    assert after.head_sha != context.before.head_sha
    assert git("rev-parse", f"{after.head_sha}^", git_dir=path) == context.before.head_sha


@then("the review thread is answered once")
def answered(context: Any) -> None:
    comments = context.bot.forge.review_comments(context.repo, context.pull.number)
    ours = [comment for comment in comments if context.bot.forge.is_ours(context.repo, comment.author)]
    assert len(ours) == 1
    assert "It is called value now" in ours[0].body
