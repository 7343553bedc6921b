"""What the bot does when it is given access to repositories: it looks at each and proposes a configuration.

In the manner of Renovate: one pull request, and nothing else until it is merged or somebody sets a label.
"""

from bot.behaviours.target import onboarding_target
from bot.log.events import RunRequested
from runners.contract.workorder import WorkOrder

# Not below `agent/`: a review of this pull request asks for no revision.
BRANCH = "scenarist/configure"
# An organisation may install the bot on all of its repositories at once.
MOST = 20


def onboarding(forge: str, repo: str, installation: int, by: str, at: str = "") -> tuple[RunRequested, str]:
    """Return the request of a run that looks at `repo` on `forge`, and the run's target.

    The request's key is the repository: it is granted once, whatever comes of it.
    """
    target = onboarding_target(forge, repo)
    order = WorkOrder(
        kind="onboard", number=0, title="Configure Scenarist", body="", requested_by=by, requested_at=at
    )
    request = RunRequested(
        forge=forge,
        repo=repo,
        installation=installation,
        order=order,
        order_sha256=order.digest,
        key=target,
    )
    return request, target
