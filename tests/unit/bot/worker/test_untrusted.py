"""What runs repository code is loaded by the worker of that queue alone."""

import subprocess
import sys

_SCRIPT = (
    "import sys, bot.worker.worker\n"
    "before = [name for name in sys.modules if name.startswith(('runners.phases', 'runners.loop.agent'))]\n"
    "import bot.worker.untrusted\n"
    "print(before, 'runners.phases.implement' in sys.modules)"
)


def test_a_worker_with_credentials_does_not_load_the_phases_of_a_model() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "[] True"
