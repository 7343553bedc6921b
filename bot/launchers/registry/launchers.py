"""All launchers, by the place where runs are done."""

from collections.abc import Callable, Mapping

from bot.config.limits import LimitsInvalid, load_limits
from bot.config.settings import Settings
from bot.launchers.launcher import Launcher
from bot.remote.tokens import Signer
from bot.storage.store import Store
from gherkin.errors import ScenaristError
from runners.contract.operator_limits import Runner


class NothingToDispatch(ScenaristError):
    """No run of this deployment uses a launcher."""

    code = "SCN-6211"
    next_step = (
        "Set SCENARIST_RUNNER to `kubernetes` or `actions`, or name them under `runners` in the limits file. "
        "The `runs` workers of Celery need no dispatcher."
    )


def _kubernetes(settings: Settings, store: Store) -> Launcher:
    from bot.launchers.kubernetes.launcher import KubernetesLauncher
    from bot.launchers.kubernetes.values import load_values

    values = load_values(settings.kubernetes_file)
    if not values.web_url:
        return KubernetesLauncher(values)
    signer = Signer(settings.runner_secret.get_secret_value())
    return KubernetesLauncher(values, lambda launch: signer.launch_token(launch, store.clock()))


def _actions(settings: Settings, store: Store) -> Launcher:
    from bot.launchers.actions.launcher import actions_launcher

    return actions_launcher(settings, store)


_LAUNCHERS: Mapping[Runner, Callable[[Settings, Store], Launcher]] = {
    "kubernetes": _kubernetes,
    "actions": _actions,
}


def launched_runners(settings: Settings) -> list[Runner]:
    """Return the places of this deployment that need a dispatcher. Raises `LimitsInvalid`."""
    offered = {settings.runner, *load_limits(settings.limits_file).runners}
    return [runner for runner in _LAUNCHERS if runner in offered]


def launches_at(settings: Settings, runner: Runner) -> bool:
    """Return whether runs of this deployment may be done at `runner`; a wrong limits file offers nothing."""
    try:
        return runner in launched_runners(settings)
    except LimitsInvalid:
        return settings.runner == runner


def launchers(settings: Settings, store: Store) -> list[Launcher]:
    """Return the launchers that this deployment needs.

    Raises `NothingToDispatch`, `LimitsInvalid`, and what each launcher raises about its own settings.
    """
    found = [_LAUNCHERS[runner](settings, store) for runner in launched_runners(settings)]
    if not found:
        raise NothingToDispatch("All runs of this deployment are done by `runs` workers.")
    return found
