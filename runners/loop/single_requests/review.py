"""A second model reviews a proven change.

Its remarks are published with the proof. Serious ones send the change back once.
"""

from collections.abc import Callable, Sequence
from typing import Any

from gherkin.errors import ScenaristError
from runners.contract.events import Remark, Reviewed
from runners.contract.job import FEATURE, Job
from runners.git.command import PLAIN, git, read_blob
from runners.git.workspaces import Mirror
from runners.loop.prompting import RepositoryFacts, review_prompt
from runners.loop.services import Services
from runners.models.chat import Message
from runners.models.json_answers import read_json
from runners.policy.plaintext import one_line

_MOST = 8
_MAX_TEXT = 1000

REVIEW_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "remarks": {
            "type": "array",
            "maxItems": _MOST,
            "items": {
                "type": "object",
                "properties": {
                    "path": {"type": "string", "description": "A file of the change."},
                    "line": {"type": "integer", "description": "A line of it with the change; 0: none."},
                    "text": {"type": "string", "description": "One to three sentences."},
                    "serious": {"type": "boolean"},
                },
                "required": ["path", "line", "text", "serious"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["remarks"],
    "additionalProperties": False,
}


def review(
    job: Job,
    services: Services,
    mirror: Mirror,
    background: RepositoryFacts,
    head: str,
    look_up: Callable[[Sequence[Message]], Sequence[Message]] = list,
) -> Reviewed:
    """Have the reviewer read the change from the base to `head`.

    `look_up` adds to a prompt what the reviewer looked up. A failure is recorded as the `problem` of the
    result and does not stop the run.
    """
    diff = git("diff", *PLAIN, job.base, head, git_dir=mirror.path)
    feature = (services.artifact(FEATURE) or b"").decode(errors="replace")
    try:
        messages = review_prompt(job.run_id, job.order, background, diff=diff, feature=feature, most=_MOST)
        replied = services.ask("reviewer", "review", look_up(messages), schema=REVIEW_SCHEMA)
    except ScenaristError as error:
        return Reviewed(head=head, problem=error.message)
    services.log([replied])
    reply = replied.reply
    try:
        given = read_json(reply)["remarks"]
        remarks = tuple(_remark(each, mirror, head) for each in given[:_MOST])
    except (ValueError, KeyError, TypeError, AttributeError):
        return Reviewed(head=head, model=reply.model, problem="Its answer could not be read.")
    return Reviewed(head=head, model=reply.model, remarks=remarks)


def _remark(given: Any, mirror: Mirror, head: str) -> Remark:
    """Return the remark, without its place if that does not exist."""
    path, line = place_of(mirror, head, str(given["path"]), int(given["line"]))
    return Remark(
        path=path,
        line=line,
        text=one_line(str(given["text"]))[:_MAX_TEXT],
        serious=bool(given["serious"]),
    )


def place_of(mirror: Mirror, head: str, path: str, line: int) -> tuple[str, int]:
    """Return (`path`, `line`) if they exist at the commit `head`; otherwise an empty path or 0."""
    text = read_blob(mirror.path, head, path) if path and not path.startswith("-") else None
    if text is None:
        return "", 0
    return path, line if 0 < line <= text.count(b"\n") + 1 else 0


def as_feedback(remarks: Sequence[Remark]) -> str:
    """Return the serious remarks, for the model that made the change."""
    lines = [
        "The verification passed. A reviewer says that the following must be corrected first. "
        "Correct what is justified:"
    ]
    for each in remarks:
        place = f"{each.path}:{each.line}: " if each.line else f"{each.path}: " if each.path else ""
        lines.append(f"- {place}{each.text}")
    lines.append("Correct it, or say in your summary why it is wrong. Then call `finish` again.")
    return "\n".join(lines)
