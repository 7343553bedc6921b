"""Notes of a check run on lines of the repository's own files."""

from pathlib import PurePosixPath

from bot.forges.forge import Annotation
from runners.git.workspaces import SHADOW
from runners.verify.verdict import ScenarioProof, Verdict

_MAX_TITLE = 255
_MAX_MESSAGE = 2000


def annotations(verdict: Verdict) -> tuple[Annotation, ...]:
    """Return a note for each scenario and each failing test, as far as they stand in files of the
    repository.
    """
    notes = [
        Annotation(
            path=proof.path,
            line=max(1, proof.line),
            level="notice" if proof.proven or proof.unchanged else "failure",
            title=f"{_standing(proof)}: {proof.name}"[:_MAX_TITLE],
            message=f"{proof.base} on the old code, {proof.head} on the new code."
            + (f"\n{proof.head_message[-_MAX_MESSAGE:]}" if proof.head_message else ""),
        )
        for proof in verdict.scenarios
        if _is_in_repository(proof.path)
    ]
    proven = {proof.path for proof in verdict.scenarios}
    notes += [
        Annotation(
            path=failure.path,
            line=failure.line or 1,
            level="failure",
            title=failure.test[:_MAX_TITLE],
            message=failure.message[-_MAX_MESSAGE:] or "It failed.",
        )
        for failure in verdict.failures
        if failure.path not in proven and _is_in_repository(failure.path)
    ]
    return tuple(notes)


def _is_in_repository(path: str) -> bool:
    """Return whether a path can be one of the commit: not the runner's own, and not that of scenarios
    beside the change.
    """
    place = PurePosixPath(path)
    return (
        bool(path)
        and not place.is_absolute()
        and ".." not in place.parts
        and not path.startswith(f"{SHADOW}/")
    )


def _standing(proof: ScenarioProof) -> str:
    if proof.unchanged:
        return "Unchanged"
    return "Proven" if proof.proven else "Not proven"
