"""Evaluate the shipped set `smoke` with scripted replies, and compare the ends with the expected
ones.

    python -m tests.evaluation [FOLDER]

It needs a package registry and no model. The exit status is 1 if an end differs, and also where the registry
cannot be reached; the reason is printed then.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bot.evaluation.attempts import EvalResults
from tests.evaluation.scripts import SCRIPTS

# The scripts answer no request for held-out examples; one red verdict ends a run.
_CONFIG = "features: commit\nheld_out: 0\nmutation: {mutants: 0}\nbudget: {rounds: 1}\n"


def main(folder: Path) -> int:
    """Run it below `folder`; returns the exit status."""
    recordings = folder / "recordings"
    recordings.mkdir(parents=True, exist_ok=True)
    for name, script in SCRIPTS.items():
        replies = [("specify", script.draft), *(("implement", each) for each in script.turns)]
        lines = [
            {"type": "ModelReplied", "phase": phase, "reply": reply.model_dump(mode="json")}
            for phase, reply in replies
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (recordings / f"{name}.jsonl").write_text(text)
    (folder / "config.yml").write_text(_CONFIG)
    words = ["run", "smoke", "--recordings", str(recordings), "--config", str(folder / "config.yml")]
    more = ["--out", str(folder / "results"), "--jobs", "2"]
    done = subprocess.run([sys.executable, "-m", "bot", "eval", *words, *more], check=False)
    if done.returncode not in (0, 1):
        return done.returncode
    attempts = EvalResults(folder / "results").attempts()
    for each in attempts:
        if each.infra:
            print(f"{each.task} could not be tried: {each.infra}", file=sys.stderr)
    found = {each.task: each.outcome for each in attempts}
    wrong = {name: found.get(name) for name, script in SCRIPTS.items() if found.get(name) != script.outcome}
    for name, outcome in wrong.items():
        print(f"{name}: {outcome}, and not {SCRIPTS[name].outcome}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1]).resolve()))
    with tempfile.TemporaryDirectory(prefix="scn-eval-") as tmp:
        sys.exit(main(Path(tmp)))
