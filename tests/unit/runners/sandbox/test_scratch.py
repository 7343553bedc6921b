"""The state folder: closed to others, and never where sandboxes would show it."""

import stat
import sys
from pathlib import Path

import pytest

from bot.storage.database import connect, migrate
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.scratch import StateFolderShown, make_state_folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_state_folder_is_private(tmp_path: Path) -> None:
    made = make_state_folder(tmp_path / "above" / "state")
    assert mode(made) == 0o700
    assert mode(tmp_path / "above") != 0o700  # that one is not ours


def test_one_of_an_earlier_version_is_closed_and_others_are_left_alone(tmp_path: Path) -> None:
    for name in ("ours", "empty", "theirs", "shared"):
        (tmp_path / name).mkdir(mode=0o755)
    (tmp_path / "ours" / "mirrors").mkdir()
    (tmp_path / "theirs" / "something").touch()
    (tmp_path / "shared").chmod(0o1777)
    modes = {name: mode(make_state_folder(tmp_path / name)) for name in ("ours", "empty", "theirs")}
    assert modes == {"ours": 0o700, "empty": 0o700, "theirs": 0o755}
    assert mode(make_state_folder(tmp_path / "shared")) == 0o1777


def test_the_database_is_private(tmp_path: Path) -> None:
    state = make_state_folder(tmp_path / "state")
    engine = connect(f"sqlite:///{state / 'scenarist.db'}")
    migrate(engine)
    with engine.connect():
        assert {mode(path) for path in state.iterdir()} == {0o600}
    engine.dispose()


@pytest.mark.parametrize("above", ["/usr/local/share", sys.prefix, sys.base_prefix])
def test_a_state_folder_that_sandboxes_show_is_refused(workspace: Path, above: str) -> None:
    with pytest.raises(StateFolderShown, match="every sandbox shows"):
        make_state_folder(Path(above) / "scenarist-state")
    assert not (Path(above) / "scenarist-state").exists()
    # The control: it would be seen there.
    assert Sandbox(workspace).run(["ls", str(Path(above).resolve())]).exit_code == 0


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace"
