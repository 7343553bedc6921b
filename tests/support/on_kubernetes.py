"""A whole bot whose runs are done in Jobs of the Kubernetes stand-in, with dispatchers of its own."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

import yaml

from bot.worker.machine import CREDENTIALS, environment
from bot.worker.processes import scenarist
from tests.standins.kubernetes_api import KubernetesApi
from tests.standins.kubernetes_cluster import Cluster
from tests.support.harness import BotUnderTest

RUNNER_SECRET = "a-secret-of-thirty-two-characters"


class BotOnKubernetes(BotUnderTest):
    """A bot with `dispatchers` dispatcher processes, named ``dispatch-0`` and so on in its group.

    With `through_web` pods reach neither the database nor the broker. `env` is the environment of a process that has no credentials of a forge.
    """

    def __init__(
        self,
        settings: Mapping[str, object] | None = None,
        port: int | None = None,
        dispatchers: int = 1,
        *,
        through_web: bool = False,
    ) -> None:
        self._through_web = through_web
        self._outer = ExitStack()
        self._folder = Path(self._outer.enter_context(TemporaryDirectory(prefix="scn-values-")))
        self._dispatchers = dispatchers
        self.cluster = Cluster()
        self.api = KubernetesApi(self.cluster, self._folder)
        file = self._folder / "kubernetes.yaml"
        own: dict[str, object] = {"runner": "kubernetes", "kubernetes_file": file, "stop_seconds": 5.0}
        if through_web:
            own["runner_secret"] = RUNNER_SECRET
        super().__init__({**own, **(settings or {})}, port)

    def __enter__(self) -> "BotOnKubernetes":
        self._outer.enter_context(self.cluster)
        self._outer.enter_context(self.api)
        super().__enter__()
        # What a values file refers to in a cluster; the model's key is a secret there.
        env = environment(self.settings, f"redis+socket://{self.state_dir / 'redis' / 'redis.sock'}")
        env = {name: value for name, value in env.items() if name not in CREDENTIALS}
        self.cluster.secrets["scenarist-database"] = {"url": env.pop("SCENARIST_DATABASE_URL")}
        self.cluster.config_maps["scenarist-runner"] = env
        self.values = {
            **self.api.values,
            "config_maps": ["scenarist-runner"],
            "secrets": {"SCENARIST_DATABASE_URL": {"name": "scenarist-database", "key": "url"}},
            "grace_seconds": 8,
        }
        if self._through_web:
            # Pods know neither the database nor the broker, nor what signs their tokens.
            hidden = ("SCENARIST_BROKER_URL", "SCENARIST_RUNNER_SECRET", "SCENARIST_KUBERNETES_FILE")
            self.cluster.config_maps["scenarist-runner"] = {k: v for k, v in env.items() if k not in hidden}
            env["SCENARIST_RUNNER_SECRET"] = RUNNER_SECRET
            self.values |= {"secrets": {}, "web_url": f"http://127.0.0.1:{self.port}"}
        self.write_values()
        env["SCENARIST_DATABASE_URL"] = self.cluster.secrets["scenarist-database"]["url"]
        self.env = env
        for number in range(self._dispatchers):
            self.group.start(f"dispatch-{number}", scenarist("dispatch"), env)
        return self

    def write_values(self) -> None:
        """Write the values file; dispatchers read it when they start."""
        (self._folder / "kubernetes.yaml").write_text(yaml.safe_dump(self.values))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._outer.close()
