"""Take away what a scenario may need besides the changed functions, and see whether it notices.

These trials are for scenarios that noticed no broken function; each has a checkout of its own.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from gherkin.feature.model import render
from runners.git.command import read_blob
from runners.verify.experiments.lab import Lab, TrialOutcomes, change_each, red_of, restore, write
from runners.verify.experiments.subject import TriedScenario
from runners.verify.experiments.trial import Trial
from runners.verify.instrumentation import sabotage
from runners.verify.instrumentation.product import ProductFiles
from runners.verify.instrumentation.sabotage import Instrumented

# Runs trials in a checkout, and returns their outcomes by id.
Run = Callable[[Path, Sequence[Trial]], TrialOutcomes]


def without_the_rest(
    lab: Lab,
    files: ProductFiles,
    subjects: Sequence[TriedScenario],
    sources: dict[str, Instrumented],
    run: Run,
) -> None:
    """Remove also what has no site: data, templates, values outside of functions."""
    others = files.others()
    partly = [path for path, each in sources.items() if each.rest]
    suspects = [subject for subject in subjects if subject.unrelated]
    if not others and not partly and not files.unread:
        return
    outcomes: TrialOutcomes = {}
    if not files.unread:
        with lab.checkout(lab.commit, "trials-rest") as root:
            for path, each in sources.items():
                source = sabotage.blanked(files.before(path), files.after(path)) if each.rest else ""
                write(root, path, source or each.source)
            for path in others:
                restore(root, path, read_blob(lab.git_dir, lab.claim.base, path))
            outcomes = run(root, [Trial(f"r{each.number}", render(each.single.feature)) for each in suspects])
    for subject in suspects:
        red = red_of(outcomes.get(f"r{subject.number}"))
        if red is not False:
            subject.unrelated = False
            subject.broken["rest"] = bool(red)
            if red is None:
                del subject.broken["rest"]
                subject.untried.append("What the change does outside of functions could not be taken away.")


def without_the_product(
    lab: Lab, files: ProductFiles, subjects: Sequence[TriedScenario], switch: str, run: Run
) -> None:
    """Find out whether a scenario that does not need the change uses the product at all."""
    suspects = [
        subject
        for subject in subjects
        if subject.control and (not subject.related or (subject.unrelated and not subject.loads))
    ]
    paths = files.whole()
    if not suspects or not paths:
        return
    with lab.checkout(lab.commit, "trials-all") as root:
        change_each(root, paths, lambda source: sabotage.all_broken(source, switch))
        trials = [Trial(f"c{each.number}", render(each.single.feature)) for each in suspects]
        trials += [
            Trial(f"e{each.number}.{what}", render(each.single.feature), sabotage.state(what))
            for each in suspects
            for what in (sabotage.RAISES, sabotage.NOTHING)
        ]
        outcomes = run(root, trials)
    for subject in suspects:
        ids = [f"e{subject.number}.{what}" for what in (sabotage.RAISES, sabotage.NOTHING)]
        red = [red_of(outcomes.get(id_)) for id_ in ids]
        control = red_of(outcomes.get(f"c{subject.number}")) is False
        uses_none = control and red == [False, False]
        subject.unrelated = uses_none
        subject.held = subject.related and not uses_none
        if uses_none:
            subject.broken = {"all": False}
