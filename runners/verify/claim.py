"""What a verdict is asked about."""

from dataclasses import dataclass, field
from typing import Literal

from gherkin.issue.kinds import Kind
from runners.verify.diff import DiffLimits
from runners.verify.experiments.mutants import MutationSettings


@dataclass(frozen=True)
class Claim:
    """What is to be proven: `head` does what the locked feature says, and `base` did not.

    `kind` says what proof that is. `feature_sha256` is the hex digest of the approved file's bytes; a chore
    has no feature. Where the feature and its steps are not part of the change, `proof` is a commit of the
    head with them, below `.scenarist/shadow`, and the change has to bring a test of its own. `commands` are
    the repository's own checks; `protected` are globs of files the change must not touch, `granted` of those
    among them that it may. With `changed_tests` ``fail`` an existing test may not be edited so that it hides
    a failure; `diff` bounds the change's size. `experiments`: whether scenarios are tried with other values
    and broken code; `examples` are held-out examples, as a feature file, and `failed_examples` the steps of
    those that failed in the verdict before. `asked` is what people wrote: tests and their configuration that
    it names may be changed. `installed` are top-level modules of the repository's environment.
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
    changed_tests: Literal["report", "fail"] = "report"
    diff: DiffLimits = field(default_factory=DiffLimits)
    mutation: MutationSettings = field(default_factory=MutationSettings)
    asked: str = ""
    installed: frozenset[str] = frozenset()
    experiments: bool = True
    examples: str = ""
    failed_examples: frozenset[str] = frozenset()
