"""Tries the projects of the list: `python -m tests.real [NAME…] [--again] [--seconds N] [--jobs N]`."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.real.projects import CACHE, Project, git, load
from tests.real.table import write
from tests.real.trial import Trial


def main() -> int:
    parser = argparse.ArgumentParser(prog="make real", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these projects")
    parser.add_argument("--again", action="store_true", help="also those that have a result for this version")
    parser.add_argument("--seconds", type=float, default=5400, help="the most a project may take in all")
    parser.add_argument(
        "--suite-seconds", type=float, default=1800, help="the most one run of a suite may take"
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many projects at a time")
    words = parser.parse_args()
    chosen = [each for each in load() if not words.names or each.name in words.names]
    waiting = [each for each in chosen if words.again or words.names or not _known(each).exists()]
    with ThreadPoolExecutor(words.jobs) as pool:
        for trial in pool.map(lambda each: _try(each, words.seconds, words.suite_seconds), waiting):
            print(
                f"{trial.name}: right {trial.right or '-'}, wrong {trial.wrong or '-'} {trial.codes} "
                f"{trial.problem}",
                flush=True,
            )
    trials = [Trial.model_validate_json(_known(each).read_text()) for each in load() if _known(each).exists()]
    return write(trials, load())


def _known(project: Project) -> Path:
    return CACHE / "results" / f"{project.name}-{project.version}.json"


def _try(project: Project, seconds: float, suite_seconds: float) -> Trial:
    """A project in a process of its own, which is ended after so many seconds."""
    folder = CACHE / "work" / project.name
    words = [project.model_dump_json(), str(folder), str(suite_seconds)]
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.real.trial", *words],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            out, _ = child.communicate(timeout=seconds)
            trial = Trial.model_validate(json.loads(out.splitlines()[-1]))
        except (subprocess.TimeoutExpired, ValueError, IndexError):
            os.killpg(child.pid, signal.SIGKILL)
            why = f"It did not end within {time.monotonic() - began:.0f} s."
            trial = Trial(name=project.name, version=project.version, shape=project.shape, problem=why)
    shutil.rmtree(folder, ignore_errors=True)
    now = git(Path(__file__).parents[2], "rev-parse", "--short=7", "HEAD")
    trial = trial.model_copy(update={"commit": now})
    known = _known(project)
    known.parent.mkdir(parents=True, exist_ok=True)
    known.write_text(trial.model_dump_json(indent=1))
    return trial


if __name__ == "__main__":
    sys.exit(main())
