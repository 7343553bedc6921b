"""What counts when the size of a sandbox is measured."""

import os
from pathlib import Path

from runners.sandbox.watch import DiskWatch


def test_the_hosts_own_files_do_not_count_before_the_sandbox_has_a_root_of_its_own(tmp_path: Path) -> None:
    watch = DiskWatch([tmp_path], 1000, 10)
    # A process whose root is the host's, as the first one of a sandbox is for a moment.
    watch.root_pid = os.getpid()
    assert list(watch._measure()) == [False] * 2
    assert watch.files == 0
