"""What a verdict takes beside the bare commands it is made of, on a repository whose tests take some
seconds."""

import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.verify.claim import Claim, MutationSettings
from runners.verify.gate.gate import Gate
from runners.verify.suites.known import KnownRuns
from runners.verify.suites.suites import Suites
from tests.support.workbench import BASE, FEATURE, SPEC, WORK, Workbench

_ROUNDS = 3
# The row with all experiments: so many tests in several files of 20 ms, one of which uses the changed module.
_LONG = 300
_LONG_ROUNDS = 1  # such a verdict takes half a minute and more
_EXAMPLES = (
    "Feature: Double\n\n  Scenario: Doubling\n    When I double 5\n    Then I get 10\n\n"
    "  Scenario: Doubling\n    When I double 0\n    Then I get 0\n"
)
_MORE = (
    "\n\ndef limit(n):\n    if n > 10 and n != 12:\n        return 10\n    return n + 0\n\n\n"
    "def clamp(n, low, high):\n    return max(low, min(n, high))\n"
)
_TESTS = (
    "import time\n\nimport pytest\n\n\n@pytest.mark.parametrize('n', range(200))\ndef test_some(n):\n "
    "   time.sleep(0.02)\n"
)


def run(console: Console) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(Path(folder) / "state")
        base = bench.commit({**BASE, "test_some.py": _TESTS})
        bench.commit(SPEC)
        head = bench.commit(WORK)
        feature = SPEC[FEATURE].encode()
        claim = Claim(
            base=base,
            head=head,
            feature=FEATURE,
            feature_sha256=hashlib.sha256(feature).hexdigest(),
            mutation=MutationSettings(mutants=0),
        )
        suites = Suites(
            lambda root, ro, rw: Sandbox(root, read_only=ro, writable=rw, limits=CommandLimits()),
            features="features",
        )
        whole, bare, again = [], [], []
        known = KnownRuns(Path(folder) / "known", "bench")
        for _ in range(_ROUNDS):
            whole.append(_timed(lambda: _verdict(bench, suites, claim, None)))
            bare.append(_bare(bench, base, head))
        _verdict(bench, suites, claim, known)
        _experiments(console, suites, Path(folder) / "experiments")
        for _ in range(_ROUNDS):
            again.append(_timed(lambda: _verdict(bench, suites, claim, known)))
    verdict, commands = statistics.median(whole), statistics.median(bare)
    console.print(
        f"A verdict: {verdict:.2f} s; the bare commands on base and head: {commands:.2f} s "
        f"({verdict / commands:.2f}x); "
        f"with the base's results known: {statistics.median(again):.2f} s\n"
    )


def _experiments(console: Console, suites: Suites, folder: Path) -> None:
    """The verdict with everything that is on by default, held-out examples and mutants included."""
    bench = Workbench(folder)
    tests = _TESTS.replace("range(200)", f"range({_LONG // 3})")
    base = bench.commit({**BASE, **{f"test_{name}.py": tests for name in ("one", "two", "three")}})
    bench.commit(SPEC)
    head = bench.commit({**WORK, "calc.py": WORK["calc.py"] + _MORE})
    claim = Claim(
        base=base,
        head=head,
        feature=FEATURE,
        feature_sha256=hashlib.sha256(SPEC[FEATURE].encode()).hexdigest(),
        examples=_EXAMPLES,
        mutation=MutationSettings(floor=0),
    )
    whole, bare, bites = [], [], []
    for _ in range(_LONG_ROUNDS):
        started = time.perf_counter()
        verdict = Gate(bench.workspaces, bench.mirror, suites, "bench", None).verify(claim)
        whole.append(time.perf_counter() - started)
        assert verdict.green and verdict.bite is not None, verdict.problems
        bites.append(f"{verdict.bite.killed}/{verdict.bite.tried}")
        bare.append(_bare(bench, base, head))
    verdict_s, commands = statistics.median(whole), statistics.median(bare)
    console.print(
        f"A verdict with all experiments: {verdict_s:.2f} s; the bare commands on base and head: "
        f"{commands:.2f} s ({verdict_s / commands:.2f}x); {verdict.scenarios[0].findings.line} · mutants "
        f"{', '.join(bites)}\n"
    )


def _verdict(bench: Workbench, suites: Suites, claim: Claim, known: KnownRuns | None) -> None:
    verdict = Gate(bench.workspaces, bench.mirror, suites, "bench", known).verify(claim)
    assert verdict.green, verdict.problems


def _bare(bench: Workbench, base: str, head: str) -> float:
    """The same commands as they are, without sandbox or reports: the scenarios and both suites, on base and
    head."""
    with (
        bench.workspaces.worktree(bench.mirror, base, "bare", "base") as old,
        bench.workspaces.worktree(bench.mirror, head, "bare", "head") as new,
    ):
        (old.root / FEATURE).write_text(SPEC[FEATURE])
        behave, pytest = [sys.executable, "-m", "behave", "-q"], [sys.executable, "-m", "pytest", "-q"]
        commands = [[*behave, FEATURE], behave, [*pytest, "-p", "no:cacheprovider"]]
        started = time.perf_counter()
        for root, more in ((old.root, []), (new.root, [[*behave, FEATURE]])):
            for command in [*commands, *more]:
                subprocess.run(command, cwd=root, capture_output=True, check=False)
        return time.perf_counter() - started


def _timed(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started
