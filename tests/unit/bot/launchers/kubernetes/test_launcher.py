"""The launcher over real sockets, against the stand-in of the API server."""

import threading
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from bot.launchers.kubernetes.launcher import KubernetesLauncher
from bot.launchers.kubernetes.values import JobValues, ValuesInvalid
from bot.launchers.launcher import LauncherUnavailable, LaunchRefused
from bot.storage.launches import Launch, WaitingRun
from bot.storage.store import new_id
from tests.standins.kubernetes_api import KubernetesApi
from tests.standins.kubernetes_cluster import Cluster
from tests.support.waiting import wait_until


@pytest.fixture
def api(tmp_path: Path) -> Iterator[KubernetesApi]:
    with Cluster() as cluster, KubernetesApi(cluster, tmp_path) as api:
        cluster.broken_image = True  # no process is needed here
        yield api


@pytest.fixture
def launcher(api: KubernetesApi) -> KubernetesLauncher:
    return KubernetesLauncher(JobValues.model_validate(api.values))


def run(fence: int = 1) -> WaitingRun:
    launch = Launch(run_id=new_id(), fence=fence)
    return WaitingRun(launch=launch, forge="local", repo="octo/calc", phase="specify")


def test_a_job_is_made_once_listed_and_deleted(api: KubernetesApi, launcher: KubernetesLauncher) -> None:
    wanted = run()
    launcher.launch(wanted)
    launcher.launch(wanted)
    assert api.cluster.made == [wanted.launch.name]
    (seen,) = launcher.launched()
    assert seen.launch == wanted.launch and not seen.ended
    assert seen.failure is not None and seen.failure.error.code == "SCN-6206"
    launcher.stop(wanted.launch)
    launcher.stop(wanted.launch)
    assert launcher.launched() == [] and api.cluster.pods == {}
    assert api.violations == []


def test_another_deployment_of_the_namespace_is_left_alone(
    api: KubernetesApi, launcher: KubernetesLauncher
) -> None:
    other = KubernetesLauncher(JobValues.model_validate({**api.values, "deployment": "other"}))
    other.launch(run())
    assert launcher.launched() == [] and len(other.launched()) == 1


def test_many_jobs_come_page_by_page(
    api: KubernetesApi, launcher: KubernetesLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.launchers.kubernetes.api._PAGE", 2)
    wanted = [run() for _ in range(5)]
    for each in wanted:
        launcher.launch(each)
    assert {seen.launch for seen in launcher.launched()} == {each.launch for each in wanted}


def test_what_the_server_does_not_want_is_refused_with_its_words(
    api: KubernetesApi, launcher: KubernetesLauncher
) -> None:
    api.forbidden = True
    with pytest.raises(LaunchRefused, match="cannot create resource"):
        launcher.launch(run())
    api.forbidden, api.quota = False, True
    with pytest.raises(LauncherUnavailable, match="exceeded quota"):
        launcher.launch(run())
    api.quota = False
    launcher.launch(run())


def test_a_server_that_is_away_or_does_not_know_the_token_is_unavailable(
    api: KubernetesApi, launcher: KubernetesLauncher
) -> None:
    api.away = True
    with pytest.raises(LauncherUnavailable, match="does not answer"):
        launcher.launched()
    api.away = False
    api.token_file.write_text("another")
    with pytest.raises(LauncherUnavailable, match="does not accept the token"):
        launcher.launched()
    api.token_file.unlink()
    with pytest.raises(LauncherUnavailable, match="token"):
        launcher.launched()
    api.token_file.write_text("the-account-token\n")
    assert launcher.launched() == [], "a token is read anew"


def test_a_watch_tells_of_changes_and_outlives_cuts_and_a_forgetful_server(
    api: KubernetesApi, launcher: KubernetesLauncher
) -> None:
    changed = threading.Event()
    with launcher.watching(changed.set):
        wait_until(lambda: api.watches == 1, "the first watch")
        launcher.launch(run())
        assert changed.wait(60)
        api.cut_watches()
        wait_until(lambda: api.watches >= 2, "a watch after the cut")
        changed.clear()
        api.cluster.forget()
        wait_until(lambda: api.watches >= 3, "a watch from a new list")
        changed.clear()
        launcher.launch(run())
        assert changed.wait(60)
    assert api.violations == []


def test_outside_of_a_cluster_the_address_must_be_given(
    api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ValuesInvalid, match=r"api\.url"):
        KubernetesLauncher(JobValues(image="x", namespace="default"))
    with pytest.raises(ValuesInvalid, match="namespace"):
        KubernetesLauncher(JobValues.model_validate({**api.values, "namespace": ""}))


def test_only_the_authority_of_the_cluster_is_believed(tmp_path: Path) -> None:
    with Cluster() as cluster, KubernetesApi(cluster, tmp_path, tls=True) as api:
        changed = threading.Event()
        known = KubernetesLauncher(JobValues.model_validate(api.values))
        with known.watching(changed.set):
            assert known.launched() == []
            wait_until(lambda: api.watches, "a watch, which is ended while it waits")
        others = {**api.values["api"], "ca_file": certifi.where()}
        stranger = KubernetesLauncher(JobValues.model_validate({**api.values, "api": others}))
        with pytest.raises(LauncherUnavailable, match="does not answer"):
            stranger.launched()
        broken = {**api.values["api"], "ca_file": str(api.token_file)}
        with pytest.raises(ValuesInvalid, match=r"api\.ca_file"):
            KubernetesLauncher(JobValues.model_validate({**api.values, "api": broken}))
