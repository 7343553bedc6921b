"""Make the commits that a verdict needs besides base and head: scenarios laid on either of them."""

from pathlib import Path

from runners.git.command import changed_files, commit_on, tree_entries
from runners.git.workspaces import SHADOW
from runners.verify.claim import Claim
from runners.verify.rules.purposes import is_judge


def beside(git_dir: Path, claim: Claim) -> str:
    """Return the head with the scenarios and steps that are kept beside it, and nothing else from there."""
    added = tree_entries(git_dir, claim.proof, claim.feature, f"{SHADOW}/steps")
    return commit_on(git_dir, claim.head, "The head with the scenarios", added=added)


def laid_on(git_dir: Path, claim: Claim, base: str, features: str) -> str:
    """Return the commit `base` with the feature, its steps, and all helpers that the change brings for them.

    So an implementation that hides among helpers of steps and tests is on the base as well. `features` is the
    folder of the repository's features.
    """
    folder = SHADOW if claim.proof else features
    laid = tree_entries(git_dir, claim.proof or claim.head, claim.feature, f"{folder}/steps")
    changed = changed_files(git_dir, base, claim.head)
    helping = [path for status, path in changed if status != "D" and is_judge(path, features)]
    laid += tree_entries(git_dir, claim.head, *helping) if helping else []
    there = {entry.path for entry in laid}
    gone = {entry.path for entry in tree_entries(git_dir, base, f"{folder}/steps")}
    gone |= {path for status, path in changed if status == "D" and is_judge(path, features)}
    return commit_on(git_dir, base, "The base with the scenarios", added=laid, removed=sorted(gone - there))
