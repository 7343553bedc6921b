"""Run the trials of scenarios, in few processes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from gherkin.feature.model import render
from runners.sandbox.beneath import put_file, read_file
from runners.verify.experiments.answers import other_inputs
from runners.verify.experiments.flip import Flip, negated
from runners.verify.experiments.held_out import Example
from runners.verify.experiments.lab import Lab, TrialOutcomes, change_each, red_of, write
from runners.verify.experiments.subject import (
    CONTEXTS,
    PROCESSES,
    TriedScenario,
    is_deaf,
    is_empty,
    looks_for_nothing,
)
from runners.verify.experiments.taken_away import without_the_product, without_the_rest
from runners.verify.experiments.trial import Trial
from runners.verify.findings import HeldOut
from runners.verify.instrumentation import sabotage, step_code
from runners.verify.instrumentation.product import ProductFiles
from runners.verify.instrumentation.sabotage import FaultSite
from runners.verify.rules.purposes import is_judge, is_product
from runners.verify.suites.records import NotedCall, Tried
from runners.verify.suites.run import SuiteRun

# Places that are broken one at a time; more are broken in so many groups.
_GROUPS = 4
_MAX_TRIALS = 300
# What a step that says what is not so sees besides: that it is so, for some values that it may mean.
_HAVING = tuple(f"having {number}" for number in range(4))
# What behave itself puts on the context, and a step may look at.
BEHAVES_NAMES = ("failed", "captured", "stdout_capture", "stderr_capture", "log_capture", "runner", "step")
_OTHER_FEATURE = "Feature: Another one\n\n  Scenario: Of no use\n    Given nothing\n"
# So many words of a step's definition take the place of a word in its text.
_CONSTANTS = 3


class Trials:
    """The trials of all subjects and examples.

    `runs` are the processes that were run. `folder` contains the switch of the instrumented code.
    """

    def __init__(
        self, lab: Lab, subjects: Sequence[TriedScenario], examples: Sequence[Example], folder: Path
    ) -> None:
        self._lab = lab
        self._subjects = subjects
        self._examples = examples
        self._folder = folder
        self.runs: list[SuiteRun] = []
        self.calls: list[NotedCall] = []
        self.other_calls: list[NotedCall] = []
        # Calls that give another result where no test runs.
        self.knowing: list[tuple[str, ...]] = []
        self.sites: tuple[FaultSite, ...] = ()
        self._switch = lab.suites.switch_path(folder)
        # Coroutines of the step files that assert something.
        self._coroutines: set[str] = set()
        # The names under which steps and hooks put on behave's context what is not known before, and those
        # under which they put a constant.
        self._names: set[str] = {*BEHAVES_NAMES}
        self._constants: set[str] = set()
        claim = lab.claim

        def aside(path: str) -> bool:
            return is_judge(path, lab.features) or path == claim.feature

        def product(path: str) -> bool:
            return is_product(path, lab.features)

        self._files = ProductFiles(lab.git_dir, claim.base, claim.head, lab.commit, aside, product)

    def run(self) -> list[HeldOut]:
        """Store the results in the subjects, and return those of the examples."""
        lab = self._lab
        sources = self._files.instrumented(self._switch)
        sites = [site for each in sources.values() for site in each.sites]
        self.sites = tuple(sites)
        groups = _grouped(sites)
        with lab.checkout(lab.commit, "trials") as root:
            for path, each in sources.items():
                write(root, path, each.source)
            self._watch_steps(root)
            # The variants run in its place: what is in it must not matter.
            feature = read_file(root, lab.claim.feature)
            write(root, lab.claim.feature, _OTHER_FEATURE)
            first = self._run(root, list(self._first(groups)))
            self._note_first(first, groups)
            self._note_readers(root, feature)
            known = [_held_out(each, first.get(f"h{number}")) for number, each in enumerate(self._examples)]
            alone = all(each.outcome == "unmatched" for each in known)
            second = self._run(root, [*self._second(groups), *self._inputs(others=alone)])
            self._note_inputs(second)
            second |= self._run(root, list(self._more_sides(second)))
            self._note_second(second, groups)
            self._note_third(self._run(root, list(self._third())))
        if any(subject.unrelated for subject in self._subjects):
            without_the_rest(lab, self._files, self._subjects, sources, self._run)
        without_the_product(lab, self._files, self._subjects, self._switch, self._run)
        return known

    def _watch_steps(self, root: Path) -> None:
        """Instrument the step files so that they count assertions, and note what they put on the context."""
        paths = self._files.step_files(*self._step_folders())
        sources = [(read_file(root, path) or b"").decode(errors="replace") for path in paths]
        own = {name for source in sources for name in step_code.functions(source)}
        self._coroutines = {name for source in sources for name in step_code.asserting_coroutines(source)}
        change_each(root, paths, lambda source: step_code.watched(source, self._switch, own))
        folders = (f"{PurePosixPath(self._lab.claim.feature).parent}/", f"{self._lab.features}/")
        beside = self._files.step_files(*folders)
        for path in beside:
            names, constants = step_code.stored((read_file(root, path) or b"").decode(errors="replace"))
            self._names |= names
            self._constants |= constants

    def _step_folders(self) -> list[str]:
        lab = self._lab
        return [f"{PurePosixPath(lab.claim.feature).parent}/steps/", f"{lab.features}/steps/"]

    def _run(self, root: Path, trials: Sequence[Trial]) -> TrialOutcomes:
        """Return the outcomes of the trials by their ids; those that were not run, or not in time, are
        missing.
        """
        if not trials:
            return {}
        lab = self._lab
        wanted = json.dumps([asdict(trial) for trial in trials[:_MAX_TRIALS]]).encode()
        run, tried = lab.suites.trials(root, lab.claim.feature, wanted, self._folder)
        self.runs.append(run)
        self._names.update(*(each.names - self._constants for each in tried.values()))
        return tried

    def _first(self, groups: Sequence[Sequence[FaultSite]]) -> Iterator[Trial]:
        """Return the trials of each scenario as it is, each example, other values, and each group of sites
        broken.
        """
        for subject in self._subjects:
            yield Trial(f"c{subject.number}", render(subject.single.feature))
        for number, example in enumerate(self._examples):
            yield Trial(f"h{number}", example.text)
        for place in range(max((len(subject.flips) for subject in self._subjects), default=0)):
            for subject in self._subjects:
                if place < len(subject.flips):
                    flip = subject.flips[place]
                    yield _flipped(f"f{subject.number}.{place}", flip, flip.text)
        for number, group in enumerate(groups):
            for subject in self._subjects:
                if subject.related:
                    switch = sabotage.state(sabotage.RAISES, group)
                    yield Trial(f"s{subject.number}.{number}", render(subject.single.feature), switch)

    def _note_readers(self, root: Path, feature: bytes | None) -> None:
        """Find the scenarios that pass only if their own text is in the feature file."""
        suspects = [each for each in self._subjects if not each.control]
        if not suspects or feature is None:
            return
        put_file(root, self._lab.claim.feature, feature)
        trials = [Trial(f"c{each.number}", render(each.single.feature)) for each in suspects]
        tried = self._run(root, trials)
        for subject in suspects:
            own = tried.get(f"c{subject.number}")
            subject.reads_itself = own is not None and own.outcome == "passed"
            subject.fails_there = own is not None and own.red is True

    def _note_first(self, tried: TrialOutcomes, groups: Sequence[Sequence[FaultSite]]) -> None:
        for subject in self._subjects:
            control = tried.get(f"c{subject.number}")
            subject.control = control is not None and control.outcome == "passed"
            if not subject.control:
                subject.untried.append("It did not pass by itself, so no experiment could be made on it.")
                continue
            lost = sorted(self._coroutines.intersection(control.unawaited if control else ()))
            subject.unawaited = lost[0] if lost else ""
            subject.ranges = frozenset(control.ranges if control else ())
            subject.created = control.created if control else ()
            for place in range(len(subject.flips)):
                red = red_of(tried.get(f"f{subject.number}.{place}"))
                if red is not None:
                    subject.noticed[place] = red
            for number in range(len(groups)):
                broken = tried.get(f"s{subject.number}.{number}")
                if broken is not None and broken.red is not None:
                    subject.broken[str(number)] = broken.red
                    subject.looks = subject.looks or (broken.red and broken.kind == "then")

    def _second(self, groups: Sequence[Sequence[FaultSite]]) -> Iterator[Trial]:
        """Return the trials of the second process.

        They are: what was not noticed, with further values and with code that returns nothing; and code that
        returns something else, if only its errors were noticed.
        """
        for subject in self._subjects:
            for place, red in subject.noticed.items():
                flip = subject.flips[place]
                if not red:
                    for number, text in enumerate((flip.text, *flip.more)):
                        yield _flipped(f"f{subject.number}.{place}.{number}", flip, text)
                    for number in range(_CONSTANTS if flip.word else 0):
                        yield Trial(
                            f"k{subject.number}.{place}.{number}",
                            render(subject.single.feature),
                            step=flip.step,
                            value=flip.word,
                            constant=number,
                        )
                for side, each in enumerate(flip.sides):
                    yield _flipped(f"d{subject.number}.{place}.{side}.0", flip, each.texts[0])
            for number, other in enumerate(subject.inputs):
                yield Trial(f"i{subject.number}.{number}", other.text)
            text = render(subject.single.feature)
            if subject.broken and not any(subject.broken.values()):
                for what in (sabotage.NOTHING, sabotage.RAISES):
                    for number, group in enumerate(groups):
                        id_ = f"s{subject.number}.{number}.{what}"
                        yield Trial(id_, text, sabotage.state(what, group))
            elif subject.broken and not subject.looks:
                without = subject.created
                yield Trial(f"w{subject.number}.other", text, sabotage.OTHER, without=without)
                if without:
                    yield Trial(f"w{subject.number}.unlike", text, sabotage.UNLIKE, without=without)
                if absent := subject.absent():
                    yield Trial(f"w{subject.number}.having", text, sabotage.having(absent))
                for name in _noticed(subject):
                    switch = sabotage.state(sabotage.NOTHING, groups[int(name)])
                    yield Trial(f"w{subject.number}.{name}", text, switch, without=without)

    def _inputs(self, *, others: bool) -> Iterator[Trial]:
        """Yield each scenario as it is, and with `others` before its Then steps, while calls are noted."""
        switch = sabotage.state(sabotage.CALLS)
        for subject in self._subjects:
            if subject.control and subject.related and self.sites:
                yield Trial(f"a{subject.number}", render(subject.single.feature), switch)
                for number, text in enumerate(other_inputs(subject.single) if others else ()):
                    yield Trial(f"o{subject.number}.{number}", text, switch)

    def _note_inputs(self, tried: TrialOutcomes) -> None:
        for id_, each in tried.items():
            self.knowing += each.knowing
            if id_.startswith("a"):
                self.calls += each.calls
            elif id_.startswith("o"):
                self.other_calls += each.calls

    def _more_sides(self, tried: TrialOutcomes) -> Iterator[Trial]:
        """Return the other values of each side whose first value was not noticed."""
        for subject in self._subjects:
            for place in subject.noticed:
                flip = subject.flips[place]
                for side, each in enumerate(flip.sides):
                    id_ = f"d{subject.number}.{place}.{side}"
                    if red_of(tried.get(f"{id_}.0")) is False:
                        for number, text in enumerate(each.texts[1:], 1):
                            yield _flipped(f"{id_}.{number}", flip, text)

    def _note_second(self, tried: TrialOutcomes, groups: Sequence[Sequence[FaultSite]]) -> None:
        for subject in self._subjects:
            self._note_flips(subject, tried)
            subject.judge_flips()
            if subject.broken and not any(subject.broken.values()):
                for number in range(len(groups)):
                    ids = [
                        f"s{subject.number}.{number}.{what}" for what in (sabotage.NOTHING, sabotage.RAISES)
                    ]
                    found = [red_of(tried.get(id_)) for id_ in ids]
                    subject.broken[str(number)] = any(found)
                    if None in found and not any(found):
                        del subject.broken[str(number)]
                subject.unrelated = bool(subject.broken) and not any(subject.broken.values())
            elif subject.broken and not subject.looks:
                names = _noticed(subject)
                ids_ = {name: f"w{subject.number}.{name}" for name in ("other", "having", "unlike", *names)}
                subject.note_wrong({name: tried[id_] for name, id_ in ids_.items() if id_ in tried}, names)
            if subject.related and subject.control and not subject.broken:
                subject.untried.append(
                    "The change has no code that could be broken to see whether it notices."
                )

    def _note_flips(self, subject: TriedScenario, tried: TrialOutcomes) -> None:
        for place, red in list(subject.noticed.items()):
            flip, own = subject.flips[place], f"{subject.number}.{place}"
            again = [red_of(tried.get(f"f{own}.{number}")) for number in range(1 + len(flip.more))]
            again += [red_of(tried.get(f"k{own}.{number}")) for number in range(_CONSTANTS)]
            sides = [
                [red_of(tried.get(f"d{own}.{side}.{number}")) for number in range(len(each.texts))]
                for side, each in enumerate(flip.sides)
            ]
            if not red and flip.counts and not any(again[: len(flip.more)]) and not any(map(any, sides)):
                # Only with the rest of its row changed as well: the number itself is not looked at.
                subject.unread.add(place)
            if not red and (any(again) or any(map(any, sides))):
                subject.noticed[place] = True
            elif not red and again[0] is None:
                del subject.noticed[place]
                continue
            # One of a direction says enough; where none could be tried, nothing is said.
            compares = flip.step in subject.ranges
            missed = [
                each
                for each, found in zip(flip.sides, sides, strict=True)
                if _all_green(found) and (compares or not each.compared)
            ]
            # A value that is not looked at itself, such as a column of remarks, has no direction.
            looked_at = red or (not flip.word and any(map(any, sides)))
            missed = missed if looked_at else []
            if missed:
                subject.lopsided[place] = missed[0].what
            if flip.inverted and not red:
                step = tried.get(f"f{own}.0")
                subject.note_inverted(flip.step, step)
        known = [red_of(tried.get(f"i{subject.number}.{number}")) for number in range(len(subject.inputs))]
        subject.note_inputs(known)

    def _third(self) -> Iterator[Trial]:
        """Return the trials that find out why no Then step notices what the code returns.

        They show whether a step only calls the code and expects no error. Each Then step of which no value
        could be changed is run with other values on the context.
        """
        for subject in self._subjects:
            text = render(subject.single.feature)
            for number in _to_watch(subject) if subject.control else ():
                for how in (*_contexts(subject, number), *PROCESSES):
                    yield Trial(f"x{subject.number}.{number}.{how}", text, step=number, context=how)
            for number in subject.outcome_steps() if subject.careless else ():
                for what in (sabotage.state(sabotage.RAISES), sabotage.INVERTED):
                    id_ = f"t{subject.number}.{number}.{what.split()[0]}"
                    yield Trial(id_, text, what, step=number, without=subject.created)

    def _note_third(self, tried: TrialOutcomes) -> None:
        for subject in self._subjects:
            empty: list[int] = []
            # They say nothing, which does no harm beside a step that does.
            idle: list[int] = []
            for number in _to_watch(subject):
                found = {
                    how: each
                    for how in (*_contexts(subject, number), *PROCESSES)
                    if (each := tried.get(f"x{subject.number}.{number}.{how}")) is not None
                }
                if is_empty(found, _contexts(subject, number)):
                    empty.append(number)
                elif looks_for_nothing(found, _contexts(subject, number), self._names):
                    idle.append(number)
                if number in subject.vague_steps():
                    if subject.empty is None and number in empty:
                        subject.empty = number
                    if subject.deaf is None and is_deaf(found):
                        subject.deaf = number
            if idle and sorted([*empty, *idle]) == subject.outcome_steps():
                subject.empty = idle[0] if subject.empty is None else subject.empty
            for number in idle if subject.empty is None else ():
                text = subject.single.scenario.steps[number].text
                subject.untried.append(f"“{text[:80]}” looks only for what no step ever stores, or changes.")
            if subject.dropped and empty == subject.outcome_steps():
                subject.careless = True
            for number in subject.outcome_steps():
                calls = red_of(tried.get(f"t{subject.number}.{number}.{sabotage.RAISES}"))
                asserts = red_of(tried.get(f"t{subject.number}.{number}.{sabotage.INVERTED}"))
                if calls and not asserts:
                    subject.careless = False


def _to_watch(subject: TriedScenario) -> list[int]:
    """Return the numbers of the Then steps to run with other values on the context."""
    return subject.outcome_steps() if subject.dropped else subject.vague_steps()


def _contexts(subject: TriedScenario, number: int) -> tuple[str, ...]:
    """Return the changes of the context to try on a Then step."""
    return CONTEXTS + (_HAVING if negated(subject.single.scenario.steps[number]) else ())


def _all_green(found: Sequence[bool | None]) -> bool:
    known = [each for each in found if each is not None]
    return bool(known) and not any(known)


def _grouped(sites: Sequence[FaultSite]) -> list[list[FaultSite]]:
    groups: list[list[FaultSite]] = [[] for _ in range(min(_GROUPS, len(sites)))]
    for number, site in enumerate(sites):
        groups[number * len(groups) // len(sites)].append(site)
    return groups


def _flipped(id_: str, flip: Flip, text: str) -> Trial:
    switch = sabotage.INVERTED if flip.inverted else ""
    step = flip.step if flip.inverted or flip.argument is not None else None
    return Trial(id_, text, switch, step=step, argument=flip.argument)


def _noticed(subject: TriedScenario) -> list[str]:
    """Return the names of the groups whose breaking the scenario notices."""
    return [name for name, red in subject.broken.items() if red]


def _held_out(example: Example, tried: Tried | None) -> HeldOut:
    came = {"passed": "passed", "failed": "failed", "error": "failed"}.get(
        tried.outcome if tried else "", "unmatched"
    )
    return HeldOut(scenario=example.scenario, behaviour=example.behaviour, text=example.steps, outcome=came)
