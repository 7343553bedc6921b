"""What the experiments on the scenarios found, in one line a scenario."""

from bot.report.escape import inline, sentence
from runners.verify.experiments.mutants import Bite
from runners.verify.verdict import ScenarioProof, Verdict


def experiment_lines(verdict: Verdict, width: int) -> list[str]:
    """Markdown lines: what each scenario noticed, and what could not be tried; none where nothing was tried."""
    lines: list[str] = []
    for proof in verdict.scenarios:
        if proof.findings.line or proof.findings.untried:
            lines.append(f"{inline(proof.name, width)}: {found(proof, verdict.bite)}")
            lines += [f"  could not be tried: {sentence(each, width)}" for each in proof.findings.untried]
    return lines


def found(proof: ScenarioProof, bite: Bite | None) -> str:
    """Such as ``red → green · flips 3/3 · sabotage 2/2 · held-out 2/2 · mutants 4/5``; `bite` is of the whole change."""
    sides = "unchanged" if proof.unchanged else f"{_colour(proof.base)} → {_colour(proof.head)}"
    mutants = f"mutants {bite.killed}/{bite.tried}" if bite and bite.tried else ""
    return " · ".join(part for part in (sides, proof.findings.line, mutants) if part)


def _colour(outcome: str) -> str:
    return "green" if outcome == "passed" else "red"
