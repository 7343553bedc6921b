"""Assemble prompts: a fixed head of instructions, then the task, with strangers' text between delimiters."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import jinja2

from gherkin.issue.hidden import visible
from gherkin.issue.kinds import Kind
from gherkin.values import Frozen
from runners.contract.workorder import ReviewDemand, WorkOrder
from runners.models.chat import Message
from runners.policy.plaintext import cut_middle, one_line

# Characters, at roughly four a token: the head must leave most of a 32k context to the work.
_MAX_BLOCK = 24_000
_MAX_PASSAGE = 4_000
_MAX_FILES = 6_000
_MAX_DIFF = 12_000
_MAX_REVIEWED = 60_000
_MAX_BROKEN = 20
_MAX_RECORD = 30_000
_MAX_LOOKED_UP = 30_000
_MAX_DRAFT = 16_000
_MAX_SHOWN = 48_000
_MAX_HEADINGS = 12


class RepositoryFacts(Frozen):
    """What the prompts say about the repository; all of it is text from the repository itself.

    `failing` are the tests that fail without any change. `places` are the places in the code that have the
    names in the issue, and `documents` are documents that mention them. `contributing` has the rules of the
    guide for contributors, `changelog` how the changelog is kept, and `template` the headings of the template
    for pull requests. `library` is whether users of the repository call its functions, and the issue names
    some. `memory` is what earlier work taught.
    """

    files: tuple[str, ...] = ()
    steps: str = ""
    domain: str = ""
    instructions: str = ""
    failing: str = ""
    places: str = ""
    documents: str = ""
    contributing: str = ""
    changelog: str = ""
    template: tuple[str, ...] = ()
    library: bool = False
    memory: str = ""


def fence(run_id: str) -> str:
    """Return the line that delimits strangers' text in this run's prompts.

    It follows from the run's id, whose random part nobody who writes an issue can know beforehand.
    """
    return "=====" + hashlib.sha256(f"fence {run_id}".encode()).hexdigest()[:24]


def specify_prompt(
    run_id: str,
    order: WorkOrder,
    background: RepositoryFacts,
    *,
    max_scenarios: int,
    kind: Kind = "feature",
    drafted: str = "",
    told: Sequence[tuple[str, str]] = (),
    fact: str = "",
) -> list[Message]:
    """Return the conversation that asks for the scenarios of a work order.

    `drafted` is the feature that was written before, `told` what people (name, text) said about it, and
    `fact` what the verifier found.
    """
    mark = fence(run_id)
    env = _environment(mark)
    system = env.get_template("specify.md.j2").render(
        fence=mark,
        max_scenarios=max_scenarios,
        kind=kind,
        approved=any(run.approved_by for run in order.earlier),
        library=background.library,
    )
    messages = [Message(role="system", text=system), _task(env, mark, order, background, "", "")]
    if drafted or told:
        again = env.get_template("respecify.md.j2").render(fence=mark, drafted=drafted, told=told, fact=fact)
        messages.append(Message(role="user", text=again))
    return messages


def remarks_prompt(
    run_id: str,
    order: WorkOrder,
    background: RepositoryFacts,
    *,
    feature: str,
    most: int,
    drafted: str = "",
    told: Sequence[tuple[str, str]] = (),
    fact: str = "",
) -> list[Message]:
    """Return the conversation that asks what a review wants beyond the scenarios of `feature`.

    The answer may have at most `most` scenarios. `drafted`, `told` and `fact` are as in `specify_prompt`.
    """
    mark = fence(run_id)
    env = _environment(mark)
    system = env.get_template("remarks.md.j2").render(fence=mark, most=most)
    messages = [
        Message(role="system", text=system),
        _task(env, mark, order, background, "", feature),
    ]
    if drafted or told:
        again = env.get_template("respecify.md.j2").render(fence=mark, drafted=drafted, told=told, fact=fact)
        messages.append(Message(role="user", text=again))
    elif fact:
        messages.append(Message(role="user", text=f"You answered before. The verifier says: {fact}"))
    return messages


def examples_prompt(
    run_id: str, order: WorkOrder, *, feature: str, most: int, known: str = ""
) -> list[Message]:
    """Return the conversation that asks for at most `most` further examples of each scenario of `feature`.

    `known` are the existing examples, as a feature file.
    """
    mark = fence(run_id)
    env = _environment(mark)
    system = env.get_template("examples.md.j2").render(fence=mark, most=most)
    task = f"# The task\n## Title\n{_block(mark, one_line(order.title), _MAX_BLOCK)}"
    task += f"\n## Issue\n{_block(mark, order.body or '(no text)', _MAX_BLOCK)}"
    task += f"\n## Scenarios\n{_block(mark, feature, _MAX_BLOCK)}"
    if known:
        task += f"\n## Examples that there are already; write others\n{_block(mark, known, _MAX_BLOCK)}"
    return [Message(role="system", text=system), Message(role="user", text=task)]


def split_prompt(run_id: str, order: WorkOrder, background: RepositoryFacts) -> list[Message]:
    """Return the conversation that asks for a large issue to be split into stories."""
    mark = fence(run_id)
    env = _environment(mark)
    system = env.get_template("split.md.j2").render(fence=mark)
    return [Message(role="system", text=system), _task(env, mark, order, background, "", "")]


def set_up_prompt(run_id: str, files: Sequence[tuple[str, str]], problem: str) -> list[Message]:
    """Return the conversation that asks for the commands of the set-up; `files` are paths with their text."""
    mark = fence(run_id)
    system = _environment(mark).get_template("set_up.md.j2").render(fence=mark)
    shown = [f"## {path}\n\n{text}" for path, text in [("What went wrong", problem), *files]]
    body = "\n\n".join(shown).replace(mark, "")[:_MAX_SHOWN]
    return [Message(role="system", text=system), Message(role="user", text=f"{mark}\n{body}\n{mark} end")]


def implement_prompt(
    run_id: str,
    order: WorkOrder,
    background: RepositoryFacts,
    *,
    feature_path: str,
    feature: str,
    steps_folder: str,
    kind: Kind = "feature",
    shadow: bool = False,
    applied: Sequence[int] = (),
    conflicts: Sequence[str] = (),
    demands: Sequence[ReviewDemand] = (),
) -> list[Message]:
    """Return the fixed head of the implementing conversation.

    `applied` are the review threads whose suggestions are applied already, `conflicts` the files with
    conflict markers, and `demands` what the review asks for and the scenarios now say.
    """
    mark = fence(run_id)
    env = _environment(mark)
    system = env.get_template("implement.md.j2").render(
        fence=mark,
        feature_path=feature_path,
        steps_folder=steps_folder,
        revise=order.kind == "revise",
        repair=bool(order.failed_jobs),
        rebase=order.rebase,
        conflicts=bool(conflicts),
        kind=kind,
        shadow=shadow,
        changelog=bool(background.changelog),
        template=bool(background.template),
        memory=bool(background.memory),
    )
    return [
        Message(role="system", text=system),
        _task(env, mark, order, background, feature_path, feature, applied, conflicts, demands, rules=True),
    ]


def review_prompt(
    run_id: str, order: WorkOrder, background: RepositoryFacts, *, diff: str, feature: str, most: int
) -> list[Message]:
    """Return the conversation that asks for at most `most` remarks on a change."""
    mark = fence(run_id)
    env = _environment(mark)
    system = env.get_template("review.md.j2").render(fence=mark, most=most)
    task = _task(env, mark, order, background, "", feature, rules=True)
    shown = f"## The change\n{_block(mark, diff, _MAX_REVIEWED)}"
    return [Message(role="system", text=system), task, Message(role="user", text=shown)]


def critique_prompt(
    run_id: str, order: WorkOrder, background: RepositoryFacts, *, diff: str, feature: str
) -> list[Message]:
    """Return the conversation that asks for the scores of a change."""
    mark = fence(run_id)
    env = _environment(mark)
    system = env.get_template("critique.md.j2").render(fence=mark)
    task = _task(env, mark, order, background, "", feature, rules=True)
    shown = f"## The change\n{_block(mark, diff, _MAX_REVIEWED)}"
    return [Message(role="system", text=system), task, Message(role="user", text=shown)]


def node_prompt(
    run_id: str,
    order: WorkOrder,
    background: RepositoryFacts,
    *,
    instructions: str,
    diff: str,
    feature: str,
) -> list[Message]:
    """Return the conversation with an operator's agent; `instructions` are the operator's own."""
    mark = fence(run_id)
    env = _environment(mark)
    system = env.get_template("node.md.j2").render(fence=mark, instructions=instructions.strip())
    task = _task(env, mark, order, background, "", feature, rules=True)
    shown = f"## The change\n{_block(mark, diff or '(nothing)', _MAX_REVIEWED)}"
    return [Message(role="system", text=system), task, Message(role="user", text=shown)]


def lookups_prompt(run_id: str, found: Sequence[str]) -> Message:
    """Return the message with what a role looked up: calls of MCP tools and their results, as data."""
    shown = _block(fence(run_id), "\n\n".join(found), _MAX_LOOKED_UP)
    return Message(role="user", text=f"## What you looked up\n{shown}\nNow give your answer.")


def navigate_prompt(
    run_id: str,
    order: WorkOrder,
    background: RepositoryFacts,
    *,
    why: str,
    diff: str,
    feature: str,
    record: str,
) -> list[Message]:
    """Return the conversation that asks for advice.

    It holds the driver's task, its `diff` so far and the `record` of its newest turns.
    """
    mark = fence(run_id)
    env = _environment(mark)
    system = env.get_template("navigate.md.j2").render(fence=mark, why=why)
    task = _task(env, mark, order, background, "", feature)
    shown = (
        f"## The change so far\n{_block(mark, diff or '(nothing)', _MAX_DIFF)}\n"
        f"## What the driver did last\n{_block(mark, record, _MAX_RECORD)}"
    )
    return [Message(role="system", text=system), task, Message(role="user", text=shown)]


def pair_prompt(
    run_id: str,
    order: WorkOrder,
    background: RepositoryFacts,
    *,
    feature: str,
    diff: str,
    results: str,
    steps: Sequence[str],
) -> list[Message]:
    """Return the conversation that asks a navigator for the pair's next step.

    `diff` is the driver's change so far, `results` what the scenarios gave when they were run on it, and
    `steps` are the pair's steps so far.
    """
    mark = fence(run_id)
    env = _environment(mark)
    system = env.get_template("pair.md.j2").render(fence=mark)
    task = _task(env, mark, order, background, "", feature)
    taken = "\n".join(steps) or "(none)"
    shown = (
        f"## The change so far\n{_block(mark, diff or '(nothing)', _MAX_DIFF)}\n"
        f"## What was run\n{_block(mark, results, _MAX_DIFF)}\n"
        f"## The steps so far\n{_block(mark, taken, _MAX_DIFF)}"
    )
    return [Message(role="system", text=system), task, Message(role="user", text=shown)]


def summary_prompt(secret: str, record: str) -> list[Message]:
    """Return the conversation that asks for a summary of `record`; its delimiter is computed from
    `secret`.
    """
    mark = fence(secret)
    system = _environment(mark).get_template("summary.md.j2").render(fence=mark)
    shown = f"## The record\n{_block(mark, record, len(record))}"
    return [Message(role="system", text=system), Message(role="user", text=shown)]


def domain_prompt(secret: str, draft: str, shown: str) -> list[Message]:
    """Return the conversation that asks to complete the `draft` of a domain language.

    `shown` is the part of the repository that the model sees.
    """
    mark = fence(secret)
    system = _environment(mark).get_template("domain.md.j2").render(fence=mark)
    text = (
        f"## The draft\n{_block(mark, draft, _MAX_DRAFT)}\n"
        f"## The repository\n{_block(mark, shown, _MAX_SHOWN)}"
    )
    return [Message(role="system", text=system), Message(role="user", text=text)]


def instruction(run_id: str, by: str, text: str) -> str:
    """Return the message to a model about a comment that somebody with rights wrote during its work."""
    mark = fence(run_id)
    env = _environment(mark)
    return env.get_template("instruction.md.j2").render(fence=mark, by=by, text=visible(text)[0])


def checklist(
    diff: str,
    broken: Sequence[str] = (),
    *,
    kind: Kind = "feature",
    changelog: bool = False,
    threads: bool = False,
) -> str:
    """Return the answer to a model's first `finish`: its diff, and what to check in it.

    `broken` are the rules of the verification that the work breaks as it is. `changelog` is whether the
    project keeps one, and `threads` whether there are review threads to answer.
    """
    env = _environment("")
    shown = [" ".join(each.split()) for each in broken[:_MAX_BROKEN]]
    return env.get_template("checklist.md.j2").render(
        diff=cut_middle(diff, _MAX_DIFF), broken=shown, kind=kind, changelog=changelog, threads=threads
    )


def _task(
    env: jinja2.Environment,
    mark: str,
    order: WorkOrder,
    background: RepositoryFacts,
    feature_path: str,
    feature: str,
    applied: Sequence[int] = (),
    conflicts: Sequence[str] = (),
    demands: Sequence[ReviewDemand] = (),
    *,
    rules: bool = False,
) -> Message:
    """Return the task and the facts about the repository; with `rules` also the rules for changes to it."""
    text = env.get_template("task.md.j2").render(
        fence=mark,
        order=order.seen,
        feature_path=feature_path,
        feature=feature,
        applied=applied,
        demanded={each.thread: each.scenarios for each in demands},
        steps=background.steps,
        domain=background.domain,
        instructions=background.instructions,
        memory=background.memory,
        failing=background.failing,
        conflicts="\n".join(conflicts),
        places=background.places,
        documents=background.documents if rules else "",
        contributing=background.contributing if rules else "",
        changelog=background.changelog if rules else "",
        template="\n".join(background.template[:_MAX_HEADINGS])
        if rules and order.kind == "implement"
        else "",
        files=_shorten_list(background.files),
    )
    return Message(role="user", text=text)


def _block(mark: str, text: str, most: int) -> str:
    return f"{mark}\n{cut_middle(text.replace(mark, '====='), most)}\n{mark} end\n"


@lru_cache(maxsize=64)
def _environment(mark: str) -> jinja2.Environment:
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("runners", "prompts"),
        autoescape=False,  # noqa: S701 - plain text for a model; strangers' text goes through `fenced`
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters["fenced"] = lambda text: cut_middle(str(text).replace(mark, "====="), _MAX_BLOCK)
    env.filters["passage"] = lambda text: cut_middle(str(text).replace(mark, "====="), _MAX_PASSAGE)
    env.filters["oneline"] = lambda text: " ".join(str(text).split())
    return env


def _shorten_list(files: Sequence[str]) -> str:
    lines: list[str] = []
    used = 0
    for path in files:
        used += len(path) + 1
        if used > _MAX_FILES:
            lines.append(f"… and {len(files) - len(lines)} more")
            break
        lines.append(path)
    return "\n".join(lines)
