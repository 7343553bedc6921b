"""A model that had no part in a proven change scores it by a rubric."""

from collections.abc import Collection, Sequence
from typing import Any, get_args

from gherkin.errors import ScenaristError
from runners.contract.job import FEATURE, Job
from runners.contract.team_events import Criterion, Critiqued, Score
from runners.git.command import PLAIN, git
from runners.git.workspaces import Mirror
from runners.loop.asking import ask
from runners.loop.prompting import RepositoryFacts, critique_prompt
from runners.loop.services import Services
from runners.loop.single_requests.review import place_of
from runners.models.json_answers import read_json
from runners.policy.plaintext import one_line

CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
# A criterion with this score or less goes back to the author.
_LOW = 2
_BEST = 4
_MAX_REASON = 600

_SCORE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "score": {"type": "integer", "minimum": 0, "maximum": _BEST},
        "reason": {"type": "string", "description": "One or two sentences."},
        "path": {"type": "string", "description": "A file of the change, or empty."},
        "line": {"type": "integer", "description": "A line of it with the change; 0: none."},
    },
    "required": ["score", "reason", "path", "line"],
    "additionalProperties": False,
}
CRITIQUE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": dict.fromkeys(CRITERIA, _SCORE),
    "required": list(CRITERIA),
    "additionalProperties": False,
}


def critique(
    job: Job,
    services: Services,
    mirror: Mirror,
    background: RepositoryFacts,
    *,
    head: str,
    authors: Collection[str],
) -> Critiqued:
    """Have a model other than the runtimes `authors` score the change from the base to `head`.

    A failure is recorded as the `problem` of the result and does not stop the run. The reply is logged.
    Raises `Cancelled`.
    """
    peer = services.models.peer(authors)
    if peer is None:
        return Critiqued(head=head, problem="The models file has no other model than the author's.")
    diff = git("diff", *PLAIN, job.base, head, git_dir=mirror.path)
    feature = (services.artifact(FEATURE) or b"").decode(errors="replace")
    messages = critique_prompt(job.run_id, job.order, background, diff=diff, feature=feature)
    try:
        replied = ask(
            services.models.of(peer),
            "critique",
            messages,
            schema=CRITIQUE_SCHEMA,
            cancel=services.cancel,
            redactor=services.redactor,
        )
    except ScenaristError as error:
        return Critiqued(head=head, runtime=peer, problem=error.message)
    services.log([replied])
    model = replied.reply.model
    try:
        given = read_json(replied.reply)
        scores = tuple(_score(criterion, given[criterion], mirror, head) for criterion in CRITERIA)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Critiqued(head=head, runtime=peer, model=model, problem="Its answer could not be read.")
    return Critiqued(head=head, runtime=peer, model=model, scores=scores)


def _score(criterion: Criterion, given: Any, mirror: Mirror, head: str) -> Score:
    """Read one score. Raises `ValueError` or `TypeError` if it is not a number from 0 to 4 with a reason."""
    reason = one_line(str(given["reason"]))[:_MAX_REASON]
    if isinstance(given["score"], bool) or not reason:
        raise ValueError("a score needs a number and a reason")
    path, line = place_of(mirror, head, str(given["path"]), int(given["line"]))
    return Score(criterion=criterion, score=given["score"], reason=reason, path=path, line=line)


def low(scores: Sequence[Score]) -> list[Score]:
    """Return the scores that send a change back to its author."""
    return [each for each in scores if each.score <= _LOW]


def as_feedback(scores: Sequence[Score]) -> str:
    """Return the low scores of a critique, for the author of the change."""
    lines = ["The verification passed. Another model scored your change; these criteria are low (0 to 4):"]
    for each in low(scores):
        place = f" ({each.path}:{each.line})" if each.line else f" ({each.path})" if each.path else ""
        lines.append(f"- {each.criterion} {each.score}{place}: {each.reason}")
    lines.append(
        "Revise the change once, where the critique is right, and change nothing else. Then call `finish` "
        "again. The revision is taken only if the verification finds it no worse than what you have."
    )
    return "\n".join(lines)
