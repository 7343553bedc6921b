"""The name of what a run works on: runs with one target wait for each other."""

from bot.forges.forge import TargetKind


def target_of(forge: str, repo: str, kind: TargetKind, number: int) -> str:
    """Return the target of a run on an issue or pull request of `repo` (``owner/name``)."""
    return f"{forge}:{repo}:{kind}:{number}"


def onboarding_target(forge: str, repo: str) -> str:
    """Return the target of the run that looks at `repo` for the first time."""
    return f"{forge}:{repo}:onboarding"
