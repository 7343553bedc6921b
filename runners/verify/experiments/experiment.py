"""The experiments on the scenarios of a change, and the problems that they show."""

import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gherkin.feature.model import FeatureInvalid, parse
from runners.git.command import read_blob
from runners.verify.claim import Claim
from runners.verify.experiments.held_out import Example, read_examples
from runners.verify.experiments.lab import Lab
from runners.verify.experiments.scenarios import Single, singles
from runners.verify.experiments.subject import TriedScenario, subjects
from runners.verify.experiments.trials import Trials
from runners.verify.findings import Findings, HeldOut, Tally
from runners.verify.instrumentation.sabotage import FaultSite
from runners.verify.suites.records import NotedCall
from runners.verify.suites.run import SuiteRun
from runners.verify.verdict import Doubt, Problem, ScenarioProof


@dataclass(frozen=True)
class Experimented:
    """The results of the experiments: proofs with findings, held-out examples with outcomes, problems and
    doubts, and runs.

    `calls` are the calls of the change's functions in the scenarios as they are, `others` those with other
    values before the first Then steps, and `sites` the places in the code that they name.
    """

    proofs: tuple[ScenarioProof, ...]
    held_out: tuple[HeldOut, ...] = ()
    problems: tuple[Problem, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    runs: tuple[SuiteRun, ...] = ()
    calls: tuple[NotedCall, ...] = ()
    others: tuple[NotedCall, ...] = ()
    sites: tuple[FaultSite, ...] = ()


def experiment(lab: Lab, proofs: Sequence[ScenarioProof]) -> Experimented:
    """Try the scenarios of `proofs` that pass on the head, and the claim's held-out examples."""
    claim = lab.claim
    text = (read_blob(lab.git_dir, lab.commit, claim.feature) or b"").decode(errors="replace")
    found: list[Single] = []
    examples: list[Example] = []
    with contextlib.suppress(FeatureInvalid):
        feature = parse(text, claim.feature)
        found = singles(feature)
        examples = read_examples(claim.examples, feature)[0] if claim.examples else []
    if len(found) != len(proofs):
        reason = "The scenarios that ran are not those of the feature file, so no experiment could be made."
        return Experimented(tuple(_with(proof, Findings(untried=(reason,))) for proof in proofs))
    tried = subjects(found, proofs)
    with tempfile.TemporaryDirectory(prefix="scenarist-switch-") as folder:
        trials = Trials(lab, tried, examples, Path(folder))
        held_out = trials.run()
    done = _shown(proofs, tried, held_out, claim)
    return replace(
        done,
        problems=(*done.problems, *_knowing(trials.knowing, trials.sites)),
        runs=tuple(trials.runs),
        calls=tuple(trials.calls),
        others=tuple(trials.other_calls),
        sites=trials.sites,
    )


def _knowing(calls: Sequence[tuple[str, ...]], sites: Sequence[FaultSite]) -> list[Problem]:
    places = {site.number: f"{site.path}:{site.line}: " for site in sites}
    return [
        Problem(
            code="code-knows-tests",
            message=(
                f"{places.get(place, '')}`{call}` gives `{result}` in the scenarios, and `{other}` where "
                "no test runs. Make it behave the same everywhere."
            ),
        )
        for place, call, result, other in calls[:1]
    ]


def _with(proof: ScenarioProof, findings: Findings, *, held: bool = False) -> ScenarioProof:
    return proof.model_copy(update={"findings": findings, "held": held})


def _shown(
    proofs: Sequence[ScenarioProof],
    subjects: Sequence[TriedScenario],
    held_out: Sequence[HeldOut],
    claim: Claim,
) -> Experimented:
    shown = list(proofs)
    problems: list[Problem] = []
    doubts: list[Doubt] = []
    for subject in subjects:
        name = proofs[subject.number].name
        if subject.fails_there:
            message = (
                f"“{name}” passes by itself, and not in the process that tries variants of it, so no "
                "experiment shows what it looks at. It, or the code, may depend on how it is run."
            )
            doubts.append(Doubt(code="not-tried", message=message))
        findings = subject.findings()
        mine = [
            each
            for each in held_out
            if each.scenario == subject.single.scenario.name and each.outcome != "unmatched"
        ]
        findings = findings.model_copy(
            update={"held_out": Tally(good=sum(each.outcome == "passed" for each in mine), tried=len(mine))}
        )
        for number in subject.proofs:
            shown[number] = _with(proofs[number], findings, held=subject.held)
        if message := _blind(subject, name):
            problems.append(Problem(code="scenario-blind", message=message))
        if subject.unrelated:
            what = (
                "the code of the product"
                if "all" in subject.broken
                else "the code that the change adds or alters"
            )
            message = (
                f"“{name}” still passes when {what} is broken on purpose, so it does not use it. "
                "Make its steps call the product's code, and keep the implementation out of steps and tests."
            )
            problems.append(Problem(code="scenario-unrelated", message=message))
    problems += [_failed(each, claim) for each in held_out if each.outcome == "failed"]
    return Experimented(tuple(shown), tuple(held_out), tuple(problems), tuple(doubts))


def _blind(subject: TriedScenario, name: str) -> str:
    """Return why the scenario `name` does not check its outcome, and what to do; empty if it does."""

    def step(number: int) -> str:
        return f"“{subject.single.scenario.steps[number].text}”"

    if subject.reads_itself:
        return (
            f"“{name}” passes only if its own text is in the feature file: the code or the steps read that "
            "file. Leave it to behave, and work the outcome out from what the steps give."
        )
    if subject.blind is not None:
        return (
            f"“{name}” still passes when {step(subject.blind.step)} expects something else "
            f"({subject.blind.what}). Make that step compare the real outcome with what it names."
        )
    if subject.unawaited:
        return (
            f"A Then step of “{name}” calls the coroutine `{subject.unawaited}` and never awaits it, so "
            "its assertions do not run. Await it, or run it with `asyncio.run`."
        )
    if subject.swallowed is not None:
        return (
            f"In “{name}”, {step(subject.swallowed)} passes although its assertions fail: something catches "
            "their failure, or it stays in another thread or task. Let the failure reach behave."
        )
    if subject.idle is not None:
        return (
            f"In “{name}”, {step(subject.idle)} asserts nothing: its assertions are in a loop that runs "
            "over nothing, or under a condition that is false. First assert that there is something to check."
        )
    if subject.deaf is not None:
        return (
            f"In “{name}”, {step(subject.deaf)} passes whether the processes or tests that it starts fail or "
            "not. Assert their exit code or result, or what they print."
        )
    if subject.empty is not None:
        return (
            f"In “{name}”, {step(subject.empty)} passes whatever the code does: it looks neither at what "
            "earlier steps left on the context nor at anything else. Assert the outcome there."
        )
    if subject.careless:
        return (
            f"“{name}” still passes when the code that the change adds or alters returns something else: "
            "no Then step looks at it. Compare the real outcome with an expected value that the step "
            "names, instead of a value that the same code or the step itself computes."
        )
    return ""


def _failed(example: HeldOut, claim: Claim) -> Problem:
    if example.text in claim.failed_examples:
        message = f"This example of “{example.behaviour}” fails, now for the second time:\n{example.text}"
    else:
        message = (
            f"“{example.behaviour}” does not hold for a further example with other values than the scenario "
            f"“{example.scenario}”. Implement the behaviour itself, not only the case that is written down."
        )
    return Problem(code="held-out-failed", message=message)
