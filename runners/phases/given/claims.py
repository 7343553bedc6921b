"""Make the claim that a verdict judges, from a run's log and settings."""

from typing import Any

from runners.contract.job import Job, claim_of
from runners.loop.services import Services
from runners.phases.given.checkout import asked_of
from runners.phases.given.toolkit import closed_paths, opened_paths
from runners.verify.claim import Claim


def claim_on(job: Job, services: Services, *, head: str, proof: str, **more: Any) -> Claim:
    """Return the claim that the commit `head` does what the run's scenarios say.

    `proof` is the commit with the scenarios, if they are not part of the change; `more` are further fields.
    """
    return claim_of(
        job.settings,
        base=job.base,
        head=head,
        feature=job.spec.path,
        feature_sha256=job.spec.sha256,
        kind=job.spec.kind,
        proof=proof if job.spec.shadow else "",
        granted=opened_paths(job, services),
        locked=closed_paths(job, services),
        start=job.spec.commit,
        asked=asked_of(job),
        before=job.before,
        revised=frozenset(name for each in job.spec.demands for name in each.scenarios),
        **more,
    )
