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
        description="The percentage of the faults that must be noticed, if at least three could be tried "
        "(with 100: any number); 0: none. With fewer, the model is shown the places once, and the verdict "
        "has a warning. Faults in lines that no test runs count only if they are half of all.",
    )


@dataclass(frozen=True)
class Claim:
    """What has to be proven: `head` does what the locked feature says, and `base` does not.

    `kind` decides how that is proven. `feature_sha256` is the hex digest of the approved file's bytes; a
    chore has no feature. If the feature and its steps are not part of the change, `proof` is a commit of the
    head with them, below `.scenarist/shadow`, and the change must have a test of its own.

    `commands` are the repository's own checks. `protected` are globs of files that the change must not touch,
    `granted` those of them that it may, and `locked` files that no grant opens. A protected file that is
    unchanged since the commit `start`, where the work began, does not count as changed.

    With `changed_tests` ``fail``, existing tests must not be edited so that they hide a failure. `diff`
    limits the change's size. `experiments` says whether scenarios are tried with other values and broken
    code. `examples` are held-out examples, as a feature file, and `failed_examples` the steps of those that
    failed in the previous verdict. `asked` is what people wrote: tests and configuration that it names may be
    changed. `installed` are the top-level modules of the repository's environment. `revised` are the
    scenarios that a review asked for: they must fail on the pull request as it was `before` this revision,
    instead of on `base`.
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
