"""What the gate is asked to prove."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from gherkin.issue.kinds import Kind
from gherkin.values import Frozen
from runners.verify.diff import DiffLimits


class MutationSettings(Frozen):
    """The mutation test of the changed lines."""

    mutants: int = Field(
        default=5,
        ge=0,
        le=200,
        description="Small faults put into the changed Python lines, one at a time, to see whether the "
        "scenarios and tests notice; 0: none.",
    )
    seconds: float = Field(
        default=60,
        gt=0,
        description="The most time that this may take, in seconds. It also takes at most three tenths of "
        "the time that the suites take (or eight seconds, if that is more).",
    )
    floor: int = Field(
        default=30,
        ge=0,
        le=100,
        description="The percentage of the faults that must be noticed for the verdict to be green, if at "
        "least three could be tried (with 100: any number); 0: none.",
    )


@dataclass(frozen=True)
class Claim:
    """What is to be proven: `head` does what the locked feature says, and `base` did not.

    `kind` says what proof that is. `feature_sha256` is the hex digest of the approved file's bytes; a chore
    has no feature. Where the feature and its steps are not part of the change, `proof` is a commit of the
    head with them, below `.scenarist/shadow`, and the change has to bring a test of its own. `commands` are
    the repository's own checks; `protected` are globs of files the change must not touch, `granted` of those
    among them that it may, and `locked` of files that nothing opens. A protected file that is as it was in
    the commit `start`, where the work began, is not the change's own. With `changed_tests` ``fail`` an
    existing test may not be edited so that it hides a failure; `diff` bounds the change's size.
    `experiments`: whether scenarios are tried with other values and broken code; `examples` are held-out
    examples, as a feature file, and `failed_examples` the steps of those that failed in the verdict before.
    `asked` is what people wrote: tests and their configuration that it names may be changed. `installed` are
    top-level modules of the repository's environment. `revised` are the scenarios that a review asked for:
    the pull request as it was `before` this revision, and not `base`, must not do what they say.
    """

    base: str
    head: str
    feature: str
    feature_sha256: str
    kind: Kind = "feature"
    proof: str = ""
    commands: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()
    start: str = ""
    changed_tests: Literal["report", "fail"] = "report"
    diff: DiffLimits = field(default_factory=DiffLimits)
    mutation: MutationSettings = field(default_factory=MutationSettings)
    asked: str = ""
    installed: frozenset[str] = frozenset()
    experiments: bool = True
    examples: str = ""
    failed_examples: frozenset[str] = frozenset()
    before: str = ""
    revised: frozenset[str] = frozenset()
