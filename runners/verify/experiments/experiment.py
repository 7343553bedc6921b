"""The experiments on the scenarios of a change: what is tried, and what the results show."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath

from gherkin.feature.model import FeatureInvalid, parse, render
from runners.git.command import read_blob
from runners.sandbox.beneath import put_file, read_file
from runners.verify.claim import Claim
from runners.verify.experiments import sabotage
from runners.verify.experiments.flip import Flip, flips, negated
from runners.verify.experiments.held_out import Example, read_examples
from runners.verify.experiments.product import ProductFiles
from runners.verify.experiments.sabotage import Instrumented, Site
from runners.verify.experiments.scenarios import Single, singles
from runners.verify.experiments.trial import Trial
from runners.verify.findings import Findings, HeldOut, Tally
from runners.verify.rules.purposes import is_judge, is_product
from runners.verify.suites.run import SuiteRun
from runners.verify.suites.suites import Suites
from runners.verify.verdict import Evidence, Outcome, Problem, ScenarioProof

# Places that are broken one at a time; more are broken in so many groups.
_GROUPS = 4
_PURPOSE = "experiments on the scenarios"
_MAX_TRIALS = 150


@dataclass(frozen=True)
class Lab:
    """What experiments need. `checkout(commit, name)` gives a fresh worktree.

    `commit` is the head with its scenarios, `features` the folder of the repository's features.
    """

    git_dir: Path
    claim: Claim
    commit: str
    features: str
    suites: Suites
    checkout: Callable[[str, str], AbstractContextManager[Path]]


@dataclass
class _Subject:
    """One scenario that is tried, with the numbers of the proofs it stands for, and what has come of it so
    far."""

    number: int
    single: Single
    proofs: list[int]
    # Whether it is red on the base, and whether its steps could be loaded there.
    related: bool
    loads: bool
    flips: list[Flip]
    control: bool = False
    noticed: dict[int, bool] = field(default_factory=dict)
    broken: dict[str, bool] = field(default_factory=dict)
    untried: list[str] = field(default_factory=list)
    blind: Flip | None = None
    unrelated: bool = False
    held: bool = False

    def findings(self) -> Findings:
        return Findings(
            flips=Tally(good=sum(self.noticed.values()), tried=len(self.noticed)),
            sabotage=Tally(good=sum(self.broken.values()), tried=len(self.broken)),
            untried=tuple(self.untried),
        )


@dataclass(frozen=True)
class Experimented:
    """The proofs with their findings, the held-out examples with what came of them, and the problems that
    were found."""

    proofs: tuple[ScenarioProof, ...]
    held_out: tuple[HeldOut, ...] = ()
    problems: tuple[Problem, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def experiment(lab: Lab, proofs: Sequence[ScenarioProof]) -> Experimented:
    """Try the scenarios of `proofs` that pass on the head, and the claim's held-out examples there."""
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
    subjects = _subjects(found, proofs)
    with tempfile.TemporaryDirectory(prefix="scenarist-switch-") as folder:
        trials = _Trials(lab, subjects, examples, Path(folder))
        held_out = trials.run()
    done = _shown(proofs, subjects, held_out, claim)
    return replace(done, evidence=tuple(run.evidence(claim.head, _PURPOSE) for run in trials.runs))


def _subjects(found: Sequence[Single], proofs: Sequence[ScenarioProof]) -> list[_Subject]:
    """The scenarios to try: of an outline the first and the last row that pass."""
    rows: dict[int, list[int]] = {}
    for number, (single, proof) in enumerate(zip(found, proofs, strict=True)):
        if proof.head == "passed":
            rows.setdefault(single.outline, []).append(number)
    subjects = []
    for numbers in rows.values():
        for number in dict.fromkeys([numbers[0], numbers[-1]]):
            proof = proofs[number]
            others = numbers if number == numbers[0] else [number]
            related = proof.proven and not proof.kept
            subjects.append(
                _Subject(number, found[number], others, related, proof.loaded, flips(found[number]))
            )
    return subjects


class _Trials:
    """Runs the trials of all subjects in few processes."""

    def __init__(
        self,
        lab: Lab,
        subjects: Sequence[_Subject],
        examples: Sequence[Example],
        folder: Path,
    ) -> None:
        self._lab = lab
        self._subjects = subjects
        self._examples = examples
        self._folder = folder
        self.runs: list[SuiteRun] = []
        self._switch = lab.suites.switch_path(folder)
        claim = lab.claim

        def aside(path: str) -> bool:
            return is_judge(path, lab.features) or path == claim.feature

        def product(path: str) -> bool:
            return is_product(path, lab.features)

        self._files = ProductFiles(lab.git_dir, claim.base, claim.head, lab.commit, aside, product)

    def run(self) -> list[HeldOut]:
        """Fill the subjects in and give what came of the examples."""
        lab = self._lab
        sources = self._files.instrumented(self._switch)
        sites = [site for each in sources.values() for site in each.sites]
        groups = _grouped(sites)
        with lab.checkout(lab.commit, "trials") as root:
            for path, each in sources.items():
                _write(root, path, each.source)
            _each(
                root,
                self._files.step_files(*self._step_folders()),
                lambda source: sabotage.inverting(source, self._switch),
            )
            first = self._run(root, list(self._first(groups)))
            controls = {
                subject.number for subject in self._subjects if first.get(f"c{subject.number}") == "passed"
            }
            self._note_first(first, controls, groups)
            second = self._run(root, list(self._second(groups)))
            self._note_second(second, groups)
        if any(subject.unrelated for subject in self._subjects):
            self._rest(sources)
        self._everything()
        return [_held_out(each, first.get(f"h{number}")) for number, each in enumerate(self._examples)]

    def _step_folders(self) -> list[str]:
        lab = self._lab
        return [f"{PurePosixPath(lab.claim.feature).parent}/steps/", f"{lab.features}/steps/"]

    def _run(self, root: Path, trials: Sequence[Trial]) -> dict[str, Outcome]:
        """What came of the trials by their ids; those that were not run, or not in time, are missing."""
        if not trials:
            return {}
        lab = self._lab
        wanted = json.dumps([asdict(trial) for trial in trials[:_MAX_TRIALS]]).encode()
        run = lab.suites.trials(root, lab.claim.feature, wanted, self._folder)
        self.runs.append(run)
        if run.fault == "untrusted":
            return {}
        return {name.partition("::")[2]: outcome for name, outcome in run.outcomes.items()}

    def _first(self, groups: Sequence[Sequence[Site]]) -> Iterator[Trial]:
        for subject in self._subjects:
            yield Trial(f"c{subject.number}", render(subject.single.feature))
        for number, example in enumerate(self._examples):
            yield Trial(f"h{number}", example.text)
        for place in range(max((len(subject.flips) for subject in self._subjects), default=0)):
            for subject in self._subjects:
                if place < len(subject.flips):
                    flip = subject.flips[place]
                    switch = sabotage.INVERTED if flip.inverted else ""
                    id_ = f"f{subject.number}.{place}"
                    yield Trial(id_, flip.text, switch, step=_step(flip), argument=flip.argument)
        for number, group in enumerate(groups):
            for subject in self._subjects:
                if subject.related:
                    switch = sabotage.state(sabotage.RAISES, group)
                    yield Trial(f"s{subject.number}.{number}", render(subject.single.feature), switch)

    def _note_first(
        self, outcomes: dict[str, Outcome], controls: set[int], groups: Sequence[Sequence[Site]]
    ) -> None:
        for subject in self._subjects:
            subject.control = subject.number in controls
            if not subject.control:
                subject.untried.append("It did not pass by itself, so no experiment could be made on it.")
                continue
            for place in range(len(subject.flips)):
                red = _red(outcomes.get(f"f{subject.number}.{place}"))
                if red is not None:
                    subject.noticed[place] = red
            for number in range(len(groups)):
                red = _red(outcomes.get(f"s{subject.number}.{number}"))
                if red is not None:
                    subject.broken[str(number)] = red

    def _second(self, groups: Sequence[Sequence[Site]]) -> Iterator[Trial]:
        """Once more, in a process of its own, what was not noticed: other values, code that returns
        nothing."""
        for subject in self._subjects:
            for place, red in subject.noticed.items():
                flip = subject.flips[place]
                if not red:
                    for number, text in enumerate((flip.text, *flip.more)):
                        switch = sabotage.INVERTED if flip.inverted else ""
                        id_ = f"f{subject.number}.{place}.{number}"
                        yield Trial(id_, text, switch, step=_step(flip), argument=flip.argument)
            if subject.broken and not any(subject.broken.values()):
                for what in (sabotage.NOTHING, sabotage.RAISES):
                    for number, group in enumerate(groups):
                        switch = sabotage.state(what, group)
                        id_ = f"s{subject.number}.{number}.{what}"
                        yield Trial(id_, render(subject.single.feature), switch)

    def _note_second(self, outcomes: dict[str, Outcome], groups: Sequence[Sequence[Site]]) -> None:
        for subject in self._subjects:
            for place, red in list(subject.noticed.items()):
                again = [
                    _red(outcomes.get(f"f{subject.number}.{place}.{number}"))
                    for number in range(1 + len(subject.flips[place].more))
                ]
                if not red and any(again):
                    subject.noticed[place] = True
                elif not red and again[0] is None:
                    del subject.noticed[place]
            self._judge_flips(subject)
            if subject.broken and not any(subject.broken.values()):
                for number in range(len(groups)):
                    ids = [
                        f"s{subject.number}.{number}.{what}" for what in (sabotage.NOTHING, sabotage.RAISES)
                    ]
                    found = [_red(outcomes.get(id_)) for id_ in ids]
                    subject.broken[str(number)] = any(found)
                    if None in found and not any(found):
                        del subject.broken[str(number)]
                subject.unrelated = bool(subject.broken) and not any(subject.broken.values())
            if subject.related and subject.control and not subject.broken:
                subject.untried.append(
                    "The change has no code that could be broken to see whether it notices."
                )

    def _judge_flips(self, subject: _Subject) -> None:
        """Decide which Then step, if any, does not look at what it expects."""
        steps = subject.single.scenario.steps
        noticed = any(subject.noticed.values())
        for number in {flip.step for flip in subject.flips}:
            places = [place for place, flip in enumerate(subject.flips) if flip.step == number]
            real = [place for place in places if not subject.flips[place].inverted]
            inverted = [place for place in places if subject.flips[place].inverted]
            # Inverting says something only where no value could be changed.
            if any(place in subject.noticed for place in real):
                for place in inverted:
                    subject.noticed.pop(place, None)
            tried = [place for place in places if place in subject.noticed]
            said = f"“{steps[number].text[:80]}”"
            if not tried:
                subject.untried.append(f"{said} has no value that could be changed.")
            elif any(subject.noticed[place] for place in tried):
                continue
            elif negated(steps[number]) or all(subject.flips[place].inverted for place in tried):
                for place in tried:
                    del subject.noticed[place]
                subject.untried.append(f"{said} holds for other values too, so changing them shows nothing.")
            elif not noticed or not all(subject.flips[place].reference for place in tried):
                subject.blind = subject.blind or subject.flips[tried[0]]

    def _rest(self, sources: dict[str, Instrumented]) -> None:
        """Take away what no site stands for, too: data, templates, values outside of functions."""
        lab = self._lab
        others = self._files.others()
        partly = [path for path, each in sources.items() if each.rest]
        suspects = [subject for subject in self._subjects if subject.unrelated]
        if not others and not partly and not self._files.unread:
            return
        outcomes: dict[str, Outcome] = {}
        if not self._files.unread:
            with lab.checkout(lab.commit, "trials-rest") as root:
                for path, each in sources.items():
                    source = (
                        sabotage.blanked(self._files.before(path), self._files.after(path))
                        if each.rest
                        else ""
                    )
                    _write(root, path, source or each.source)
                for path in others:
                    _restore(root, path, read_blob(lab.git_dir, lab.claim.base, path))
                outcomes = self._run(
                    root, [Trial(f"r{each.number}", render(each.single.feature)) for each in suspects]
                )
        for subject in suspects:
            red = _red(outcomes.get(f"r{subject.number}"))
            if red is not False:
                subject.unrelated = False
                subject.broken["rest"] = bool(red)
                if red is None:
                    del subject.broken["rest"]
                    subject.untried.append(
                        "What the change does outside of functions could not be taken away."
                    )

    def _everything(self) -> None:
        """Whether a scenario that does not need the change uses the product at all."""
        lab = self._lab
        suspects = [
            subject
            for subject in self._subjects
            if subject.control and (not subject.related or (subject.unrelated and not subject.loads))
        ]
        paths = self._files.whole()
        if not suspects or not paths:
            return
        with lab.checkout(lab.commit, "trials-all") as root:
            _each(root, paths, lambda source: sabotage.all_broken(source, self._switch))
            trials = [Trial(f"c{each.number}", render(each.single.feature)) for each in suspects]
            trials += [
                Trial(f"e{each.number}.{what}", render(each.single.feature), sabotage.state(what))
                for each in suspects
                for what in (sabotage.RAISES, sabotage.NOTHING)
            ]
            outcomes = self._run(root, trials)
        for subject in suspects:
            ids = [f"e{subject.number}.{what}" for what in (sabotage.RAISES, sabotage.NOTHING)]
            red = [_red(outcomes.get(id_)) for id_ in ids]
            control = outcomes.get(f"c{subject.number}") == "passed"
            uses_none = control and red == [False, False]
            subject.unrelated = uses_none
            subject.held = subject.related and not uses_none
            if uses_none:
                subject.broken = {"all": False}


def _grouped(sites: Sequence[Site]) -> list[list[Site]]:
    groups: list[list[Site]] = [[] for _ in range(min(_GROUPS, len(sites)))]
    for number, site in enumerate(sites):
        groups[number * len(groups) // len(sites)].append(site)
    return groups


def _step(flip: Flip) -> int | None:
    return flip.step if flip.inverted or flip.argument is not None else None


def _red(outcome: Outcome | None) -> bool | None:
    """Whether a variant was noticed; None where it could not be tried."""
    if outcome is None or outcome in ("undefined", "skipped", "missing"):
        return None
    return outcome != "passed"


def _held_out(example: Example, outcome: Outcome | None) -> HeldOut:
    came = {"passed": "passed", "failed": "failed", "error": "failed"}.get(outcome or "", "unmatched")
    return HeldOut(scenario=example.scenario, behaviour=example.behaviour, text=example.steps, outcome=came)


def _write(root: Path, path: str, text: str) -> None:
    """Change a file of the checkout; one that is not there, or that a link leads to, stays as it is."""
    if read_file(root, path) is not None:
        put_file(root, path, text.encode())


def _restore(root: Path, path: str, content: bytes | None) -> None:
    """Put a file back to `content`; None: it was not there.

    Not where the change has put a link in its way.
    """
    with contextlib.suppress(OSError):
        put_file(root, path, content)


def _each(root: Path, paths: Sequence[str], change: Callable[[str], str]) -> None:
    """Change files of the checkout that can be read as Python."""
    for path in paths:
        source = read_file(root, path)
        if source is None:
            continue
        try:
            _write(root, path, change(source.decode()))
        except (SyntaxError, UnicodeDecodeError):
            continue


def _with(proof: ScenarioProof, findings: Findings, *, held: bool = False) -> ScenarioProof:
    return proof.model_copy(update={"findings": findings, "held": held})


def _shown(
    proofs: Sequence[ScenarioProof], subjects: Sequence[_Subject], held_out: Sequence[HeldOut], claim: Claim
) -> Experimented:
    shown = list(proofs)
    problems: list[Problem] = []
    for subject in subjects:
        name = proofs[subject.number].name
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
        if subject.blind is not None:
            step = subject.single.scenario.steps[subject.blind.step]
            message = (
                f"“{name}” still passes when “{step.text}” expects something else ({subject.blind.what}). "
                "Make that step compare the real outcome with what it names."
            )
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
    return Experimented(tuple(shown), tuple(held_out), tuple(problems))


def _failed(example: HeldOut, claim: Claim) -> Problem:
    if example.text in claim.failed_examples:
        message = f"This example of “{example.behaviour}” fails, now for the second time:\n{example.text}"
    else:
        message = (
            f"“{example.behaviour}” does not hold for a further example with other values than the scenario "
            f"“{example.scenario}”. Implement the behaviour itself, not only the case that is written down."
        )
    return Problem(code="held-out-failed", message=message)
