"""docs/compatibility.md, made from what came of the trials."""

import re
from collections.abc import Sequence
from pathlib import Path

from runners.verify.verdict import Counts
from tests.real.projects import Project
from tests.real.trial import Trial

# The last cell but one: the verdict on the wrong change.
_WRONG_GREEN = re.compile(r"\| green[^|]*\|[^|]*\|$")
PATH = Path(__file__).parents[2] / "docs" / "compatibility.md"
_HEAD = """# Compatibility

`make real` tries well-known projects as they are: source distributions of the package registries, pinned by version and hash in
`tests/real/projects.yml`, without a `.scenarist.yml`. Each becomes a git repository with one commit and one tag. The environment is found and the
suites are run on that commit, as the baseline phase does. Then the verify phase takes two verdicts: on a right change (a function, a test of it, and a
scenario beside the change), which must be green, and on the same change that makes another function raise, which must be red with a regression.

The seconds were measured on a machine with two cores that did much other work as well; they say what is slow, and no more. A suite that
`did not end in time` here may do so elsewhere. The last column is the
commit of Scenarist that a project was tried with; those that are not in the table have not been tried with a recent one.

"""


def write(trials: Sequence[Trial], projects: Sequence[Project]) -> int:
    """Write the table; returns 1 when a wrong change got a green verdict, else 0.

    Projects of the list without a trial keep the row of this version that the table has.
    """
    tried = {each.name: each for each in trials}
    before = PATH.read_text().splitlines() if PATH.exists() else []
    rows: list[str] = []
    others: list[str] = []
    for project in projects:
        trial = tried.get(project.name)
        if trial is not None:
            rows.append(_row(trial))
            others += [] if trial.good else [f"* **{trial.name}**: {_why(trial)}"]
        elif kept := [line for line in before if line.startswith(f"| {project.name} {project.version} |")]:
            rows += kept[:1]
            others += [line for line in before if line.startswith(f"* **{project.name}**: ")]
    quiet = [row.split()[1] for row in rows if _WRONG_GREEN.search(row)]
    sums = (
        f"**{len(rows) - len(others)} of {len(rows)}** have the right two verdicts; quietly wrong: "
        f"{', '.join(quiet) or 'none'}."
    )
    rows = [
        "| project | what it stands for | environment | tests on the base | right change | wrong change | by |",
        "|---|---|---|---|---|---|---|",
        *rows,
    ]
    rest = ["", "## The others", "", *others] if others else []
    PATH.write_text(_HEAD + "\n".join([sums, "", *rows, *rest]) + "\n")
    print(sums.replace("**", ""))
    return 1 if quiet else 0


def _row(trial: Trial) -> str:
    name = f"{trial.name} {trial.version}"
    if trial.problem:
        return f"| {name} | {trial.shape} | not ready | | | | {trial.commit} |"
    tests = ", ".join(f"{suite}: {_counts(counts)}" for suite, counts in trial.base.items()) or "none"
    tests += f" ({trial.base_s:.0f} s)"
    return (
        f"| {name} | {trial.shape} | {trial.environment_s:.0f} s | {tests} | {trial.right} "
        f"({trial.right_s:.0f} s) "
        f"| {trial.wrong} ({trial.wrong_s:.0f} s) | {trial.commit} |"
    )


def _counts(counts: Counts) -> str:
    parts = [f"{counts.total} collected", f"{counts.passed} passed"]
    if counts.failed:
        parts.append(f"{counts.failed} failed")
    if counts.skipped:
        parts.append(f"{counts.skipped} skipped")
    return ", ".join(parts)


def _why(trial: Trial) -> str:
    said = trial.problem or next(iter(trial.details), "the wrong change breaks no test")
    return " ".join(said.split())[:400].replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
