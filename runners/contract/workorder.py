"""The work order: what a run works on, frozen and hashed at the moment of the trigger."""

import hashlib
from typing import Literal

from gherkin.issue.hidden import visible
from gherkin.values import Frozen

# The git trailer that names the order a commit was made for.
ORDER_TRAILER = "Work-Order"
# The git trailer that names the issue or pull request.
REFS_TRAILER = "Refs"
# The trailers by which a later run finds what an earlier one made its commit for.
FEATURE_TRAILER = "Scenarist-Feature"
KIND_TRAILER = "Scenarist-Kind"
RUN_TRAILER = "Scenarist-Run"


class OrderComment(Frozen):
    """A comment by a person with rights, as it stood when the run was requested."""

    author: str
    body: str
    created_at: str = ""


def _seen(comment: OrderComment) -> OrderComment:
    return comment.model_copy(update={"body": visible(comment.body)[0]})


class OrderThread(Frozen):
    """A review thread that asks for a change. `id` is the forge's id of its first comment.

    It is about the lines from `start` (None: the same one) to `line` of `path` in `commit`; without a commit,
    these lines are no longer in the file.
    """

    id: int
    path: str
    line: int | None
    comments: tuple[OrderComment, ...]
    start: int | None = None
    commit: str = ""


class ReviewDemand(Frozen):
    """Different behaviour that a review asks for, and the `scenarios` that now describe it.

    `thread` is the review thread (0: the review's own text, or a comment), `by` is its author, and `text` its
    beginning. `replaced` are the scenarios that described something else before.
    """

    thread: int
    by: str
    text: str
    scenarios: tuple[str, ...]
    replaced: tuple[str, ...] = ()


class EarlierRun(Frozen):
    """An earlier run for the same issue or pull request: what was asked, said and found in it.

    `by` asked for it; a revision has the text `request`. `told` is what people wrote during the run, and
    `question` the question that ended it, if there was one. `scenarios` is its feature file (empty if that is
    on the branch anyway), `source` who wrote it, `approved_by` who approved it. `found` are the problems of
    its last verdict or the reason of its end, and `summary` is the model's own account of the change.
    `demands` is what its review asked for beyond the scenarios before it.
    """

    id: str
    kind: Literal["implement", "revise"]
    by: str
    request: str = ""
    told: tuple[OrderComment, ...] = ()
    scenarios: str = ""
    source: Literal["issue", "model"] = "issue"
    approved_by: str = ""
    found: tuple[str, ...] = ()
    summary: str = ""
    question: str = ""
    published: bool = False
    demands: tuple[ReviewDemand, ...] = ()


class FailedJob(Frozen):
    """A failed job of the repository's CI; `log` is the part of its log that shows the cause, without
    secrets.

    Anybody whose code the job ran may have written the log.
    """

    name: str
    log: str


class WorkOrder(Frozen):
    """The input of a run.

    `number` is the issue (for a revision the issue that the pull request closes, 0 if unknown). `answers`
    says that the run was started by an answer to the bot's own question. Only a revision has `pull`,
    `threads` and `failed_jobs`; its `body` and `comments` are those of the order that the pull request was
    made for. With `failed_jobs` it is a repair that the bot started itself, in the name of the person who
    asked for the change. `earlier` are the runs before this one, oldest first. With `rebase` the branch is
    only brought up to date with its target. Nothing that is written after `requested_at` enters the run.
    `onboard` looks at a repository that is new to the bot, and belongs to no issue (`number` is 0).
    `known_as` is the number by which other people know the issue, if it is another one; 0: none.
    """

    kind: Literal["implement", "revise", "onboard"]
    number: int
    title: str
    body: str
    comments: tuple[OrderComment, ...] = ()
    requested_by: str
    requested_at: str
    pull: int | None = None
    review_body: str = ""
    labels: tuple[str, ...] = ()
    threads: tuple[OrderThread, ...] = ()
    failed_jobs: tuple[FailedJob, ...] = ()
    rebase: bool = False
    answers: bool = False
    earlier: tuple[EarlierRun, ...] = ()
    known_as: int | None = None

    @property
    def issue(self) -> int:
        """Return the number by which people know the issue; 0 if there is none."""
        return self.number if self.known_as is None else self.known_as

    @property
    def cited(self) -> int:
        """Return the number that commit messages name: the issue's, or else the pull request's; 0: none.

        All forges write issues as ``#1``, but not all of them pull requests.
        """
        return self.issue or self.pull or 0

    @property
    def trailers(self) -> dict[str, str]:
        """Return the trailers of each commit that is made for this order."""
        refs = {REFS_TRAILER: f"#{self.cited}"} if self.cited else {}
        return {**refs, ORDER_TRAILER: self.digest}

    @property
    def seen(self) -> "WorkOrder":
        """Return the order as people see it on the forge: without hidden text."""
        return self.model_copy(
            update={
                "title": visible(self.title)[0],
                "body": visible(self.body)[0],
                "review_body": visible(self.review_body)[0],
                "comments": tuple(_seen(each) for each in self.comments),
                "threads": tuple(
                    each.model_copy(update={"comments": tuple(map(_seen, each.comments))})
                    for each in self.threads
                ),
                "earlier": tuple(
                    each.model_copy(
                        update={
                            "request": visible(each.request)[0],
                            "told": tuple(map(_seen, each.told)),
                        }
                    )
                    for each in self.earlier
                ),
            }
        )

    @property
    def hidden(self) -> tuple[str, ...]:
        """Return the pieces of the order's text that people do not see on the forge."""
        comments = [*self.comments, *(each for thread in self.threads for each in thread.comments)]
        texts = [self.title, self.body, self.review_body, *(each.body for each in comments)]
        return tuple(piece for text in texts for piece in visible(text)[1])

    @property
    def digest(self) -> str:
        """Return ``sha256:`` and the hex digest of the canonical JSON form, without `known_as`."""
        return "sha256:" + hashlib.sha256(self.model_dump_json(exclude={"known_as"}).encode()).hexdigest()
