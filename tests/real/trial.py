"""One project, tried as a run would: environment, base suites, and the verdicts on a right and on a wrong
change."""

import hashlib
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from bot.config.repository import settings_of
from gherkin.errors import ScenaristError
from gherkin.values import Frozen
from runners.contract.budget import Spent
from runners.contract.events import BaselineReached, SpecWritten, VerdictReached
from runners.contract.job import WORK, Job
from runners.contract.workorder import WorkOrder
from runners.environment.prepare import Environments
from runners.git.command import TreeEntry, commit_on, git, store_blob
from runners.git.workspaces import SHADOW, Workspaces, work_ref
from runners.loop.services import Services
from runners.models.roster import Roster
from runners.models.runtimes import ModelsConfig, RuntimeSpec
from runners.phases.baseline import baseline
from runners.phases.verify import verify
from runners.sandbox.limits import CommandLimits
from runners.verify.claim import MutationSettings
from runners.verify.verdict import Counts, Verdict
from tests.real import changes
from tests.real.projects import Project, commit, repository

_ORDER = WorkOrder(
    kind="implement",
    number=1,
    title="Probe",
    body="Somebody who probes 4 sees 8.",
    requested_by="ada",
    requested_at="2026-01-01T00:00:00Z",
)

# The phases ask whether there is a reviewer; nobody is asked anything here.
_NO_MODEL = ModelsConfig(runtimes={"none": RuntimeSpec(provider="replay")})


class Trial(Frozen):
    """What came of trying a project.

    Times are in seconds. `right` and `wrong` are the states of the two verdicts, `codes` the codes of their
    problems; `problem` says why the trial ended early.
    """

    name: str
    version: str
    shape: str
    environment_s: float = 0.0
    base: dict[str, Counts] = {}
    base_s: float = 0.0
    right: str = ""
    right_s: float = 0.0
    wrong: str = ""
    wrong_s: float = 0.0
    problem: str = ""
    codes: dict[str, list[str]] = {}
    details: tuple[str, ...] = ()
    commit: str = ""

    @property
    def good(self) -> bool:
        """Whether both verdicts are what they should be."""
        return self.right == "green" and self.wrong == "red" and "regression" in self.codes.get("wrong", ())

    @property
    def quiet(self) -> bool:
        """Whether a verdict is wrong and does not say so: the worst that can be."""
        return self.wrong == "green"


def attempt(
    project: Project,
    folder: Path,
    limits: CommandLimits,
    make: Callable[[Project, Path], str] = repository,
) -> Trial:
    """Try a project, with all that is written below `folder`; never raises for what a project does.

    `make` makes its repository in a folder and returns the commit.
    """
    begun = Trial(name=project.name, version=project.version, shape=project.shape)
    try:
        return _attempt(project, folder, limits, begun, make)
    except ScenaristError as error:
        return begun.model_copy(update={"problem": f"{error.code}: {error.message} {error.next_step}"})
    except Exception:
        return begun.model_copy(update={"problem": "It broke.", "details": (traceback.format_exc()[-3000:],)})


def _attempt(
    project: Project, folder: Path, limits: CommandLimits, trial: Trial, make: Callable[[Project, Path], str]
) -> Trial:
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "source"
    source.mkdir(parents=True)
    base = make(project, source)
    changes.right(project, source)
    right = commit(source, "Right")
    changes.wrong(project, source)
    wrong = commit(source, "Wrong")
    workspaces = Workspaces(folder / "state")
    mirror = workspaces.mirror("local", project.name)
    mirror.fetch(str(source), "", ["main"])
    artifacts: dict[str, bytes] = {}
    services = Services(
        workspaces=workspaces,
        models=Roster(_NO_MODEL, "replay", {}, folder / "profiles"),
        log=lambda events, blobs=None: artifacts.update(blobs or {}),
        artifact=artifacts.get,
        limits=limits,
        environments=Environments(workspaces, limits, unsafe=False),
        cancel=threading.Event(),
    )
    settings = settings_of(mirror.path, base).model_copy(update={"mutation": MutationSettings(mutants=0)})
    job = Job(
        run_id="real",
        forge="local",
        repo=project.name,
        order=_ORDER,
        base=base,
        settings=settings,
        events=(),
        spent=Spent(),
    )
    began = time.monotonic()
    found = baseline(job, services)
    artifacts.update(found.artifacts)
    (reached,) = (event for event in found.events if isinstance(event, BaselineReached))
    trial = trial.model_copy(
        update={
            "environment_s": reached.environment_s,
            "base": {suite.name: suite.counts for suite in reached.suites},
            "base_s": time.monotonic() - began - reached.environment_s,
        }
    )
    for name, head in (("right", right), ("wrong", wrong)):
        began = time.monotonic()
        verdict = _verdict(project, job, services, head)
        said = [f"{each.code}: {each.message}" for each in (*verdict.problems, *verdict.doubts)]
        trial = trial.model_copy(
            update={
                name: verdict.status,
                f"{name}_s": time.monotonic() - began,
                "codes": {**trial.codes, name: sorted({each.code for each in verdict.problems})},
                "details": (*trial.details, *(f"{name}: {text[:600]}" for text in said[:8])),
            }
        )
    return trial


def _verdict(project: Project, job: Job, services: Services, head: str) -> Verdict:
    """The verdict of the verify phase on a head, with the scenario and its steps beside it."""
    mirror = services.workspaces.mirror(job.forge, job.repo)
    path = f"{SHADOW}/{changes.FEATURE}"
    files = {path: changes.SCENARIO, f"{SHADOW}/steps/probe_steps.py": changes.steps(project)}
    added = [
        TreeEntry("100644", store_blob(mirror.path, text.encode()), name) for name, text in files.items()
    ]
    change = commit_on(
        mirror.path, job.base, "Change", tree=git("rev-parse", f"{head}^{{tree}}", git_dir=mirror.path)
    )
    proof = commit_on(mirror.path, change, "Proof", added=added)
    bundle = mirror.bundle_commit(proof, work_ref(job.run_id), base=job.base)
    written = SpecWritten(
        path=path,
        sha256=hashlib.sha256(changes.SCENARIO.encode()).hexdigest(),
        source="issue",
        scenarios=("A number is doubled",),
        commit=job.base,
        shadow=True,
    )
    events = (written,)
    artifact = services.artifact
    here = Job(**{**job.__dict__, "events": events})
    done = verify(
        here,
        Services(
            **{**services.__dict__, "artifact": lambda name: bundle if name == WORK else artifact(name)}
        ),
    )
    return next(event.verdict for event in done.events if isinstance(event, VerdictReached))


if __name__ == "__main__":
    chosen = Project.model_validate_json(sys.argv[1])
    print(
        attempt(
            chosen, Path(sys.argv[2]), CommandLimits(wall_s=600, suite_s=float(sys.argv[3]))
        ).model_dump_json()
    )
