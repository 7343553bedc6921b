"""The scenarios of a run, each from grey (not run) over red (fails) to green (proven)."""

from collections.abc import Iterable, Mapping
from typing import Literal

from bot.log.events import Entry
from bot.log.state import RunState
from gherkin.feature.strict import NotGherkin, read
from gherkin.values import Frozen
from runners.contract.events import SpecWritten, ToolCalled
from runners.verify.verdict import ScenarioProof

Colour = Literal["grey", "red", "amber", "green"]


class Card(Frozen):
    """One scenario. `said` is what its colour means, in words.

    `steps` are (keyword, text) pairs. `before` and `after` are the outcomes on the old and on the new code;
    `experiments` and `untried` say what was tried on it. `message` is why it fails.
    """

    name: str
    colour: Colour
    said: str
    steps: tuple[tuple[str, str], ...] = ()
    before: str = ""
    after: str = ""
    experiments: str = ""
    untried: tuple[str, ...] = ()
    message: str = ""


def cards(state: RunState, entries: Iterable[Entry], feature: str) -> list[Card]:
    """Return a card for each scenario of the specification; `feature` is its text, as far as it is known."""
    steps = _steps(feature)
    proofs = {proof.name: proof for proof in state.verdict.scenarios} if state.verdict else {}
    tried = tried_outcomes(entries)
    names = dict.fromkeys((*(state.spec.scenarios if state.spec else ()), *proofs))
    return [_card(name, steps.get(name, ()), proofs.get(name), tried) for name in names]


def tried_outcomes(entries: Iterable[Entry]) -> dict[str, str] | None:
    """Return the scenarios that failed when the model last ran behave, as a set of names mapped to
    ``failed``.

    None when it has not run behave since the specification was written.
    """
    found: dict[str, str] | None = None
    for entry in entries:
        if isinstance(entry.event, SpecWritten):
            found = None
        elif isinstance(entry.event, ToolCalled):
            behave = entry.event.data.get("behave")
            if isinstance(behave, dict) and (behave.get("passed") or behave.get("failed")):
                failures = behave.get("failures") or []
                found = {str(each).rpartition("::")[2]: "failed" for each in failures}
    return found


def _card(
    name: str,
    steps: tuple[tuple[str, str], ...],
    proof: ScenarioProof | None,
    tried: Mapping[str, str] | None,
) -> Card:
    if proof is None:
        if tried is None:
            return Card(name=name, steps=steps, colour="grey", said="not run yet")
        if name in tried:
            return Card(name=name, steps=steps, colour="red", said="fails in the model's last run")
        return Card(name=name, steps=steps, colour="amber", said="passes for the model, not verified yet")
    colour: Colour = "green" if proof.proven else "amber" if proof.unchanged else "red"
    said = {
        "green": "proven",
        "amber": "unchanged: it held before, so it proves nothing",
        "red": "not proven",
    }
    return Card(
        name=name,
        steps=steps,
        colour=colour,
        said=said[colour],
        before=proof.base,
        after=proof.head,
        experiments=proof.findings.line,
        untried=proof.findings.untried,
        message=proof.head_message if proof.head != "passed" else proof.base_message,
    )


def _steps(feature: str) -> dict[str, tuple[tuple[str, str], ...]]:
    """Scenario -> its steps; nothing for a text that is no feature."""
    if not feature:
        return {}
    try:
        found = read(feature)
    except NotGherkin:
        return {}
    return {
        scenario.name: tuple((str(step.keyword), str(step.name)) for step in scenario.steps)
        for scenario in found.walk_scenarios(with_outlines=True)
    }
