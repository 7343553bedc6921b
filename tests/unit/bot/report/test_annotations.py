"""Notes of a check run stand in files of the repository, and nowhere else."""

from bot.report.annotations import annotations
from runners.git.workspaces import SHADOW
from runners.verify.verdict import Failure, ScenarioProof, Verdict


def test_notes_stand_in_files_of_the_repository_alone() -> None:
    places = ["features/a.feature", f"{SHADOW}/a.feature", "/usr/lib/python3/x.py", "../../env/x.py", ""]
    proofs = tuple(
        ScenarioProof(name=path, path=path, line=0, base="failed", head="passed") for path in places
    )
    failures = tuple(
        Failure(test="t", message="m", path=path, line=3) for path in [*places[1:], "tests/test_a.py"]
    )
    notes = annotations(Verdict(base_sha="a", head_sha="b", scenarios=proofs, failures=failures))
    assert [(note.path, note.line, note.level) for note in notes] == [
        ("features/a.feature", 1, "notice"),
        ("tests/test_a.py", 3, "failure"),
    ]
