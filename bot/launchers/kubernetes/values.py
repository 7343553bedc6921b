"""The values file: what the operator says about the Jobs that runs are done in, and where the cluster is."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from gherkin.errors import ScenaristError
from gherkin.values import Frozen
from gherkin.yamlfile import read_yaml

# Where Kubernetes puts a pod's token, the API's certificate authority and the pod's namespace:
# https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ValuesInvalid(ScenaristError):
    """The values file of Kubernetes Jobs is missing or cannot be used."""

    code = "SCN-6210"
    next_step = (
        "Correct the file that SCENARIST_KUBERNETES_FILE names; `docs/kubernetes-jobs.md` lists its keys."
    )


class ApiAccess(Frozen):
    """Where the API server is, and who the dispatcher is there."""

    url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Empty: the cluster that the dispatcher runs in.",
    )
    token_file: Path = Field(
        default=ACCOUNT / "token", description="The token; it is read anew for each request."
    )
    ca_file: Path = Field(default=ACCOUNT / "ca.crt", description="The API's certificate authority (PEM).")


class SecretKey(Frozen):
    """One key of a Secret."""

    name: str
    key: str


class Seccomp(Frozen):
    """A seccomp profile of the container."""

    type: Literal["RuntimeDefault", "Unconfined", "Localhost"]
    localhost_profile: str = Field(default="", description="For `Localhost`: the profile's path on nodes.")


class Gpu(Frozen):
    """Devices of the container."""

    resource: str = Field(default="nvidia.com/gpu", description="The device plugin's name for them.")
    count: int = Field(default=0, ge=0, le=64, description="How many; 0: none.")


class JobValues(Frozen):
    """The keys of the values file. Only `image` has no default."""

    image: str = Field(min_length=1, description="The image with `scenarist` (the target `runner`).")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="As in Kubernetes."
    )
    image_pull_secrets: tuple[str, ...] = Field(default=(), description="Names of Secrets.")
    api: ApiAccess = ApiAccess()
    namespace: str = Field(
        default="",
        description="Where Jobs are made. Empty: the dispatcher's own, whose Secrets Jobs could then mount.",
    )
    web_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="The web app's address in the cluster. With it pods work through the web app and need "
        "neither the database nor the broker; web app and dispatcher need the same SCENARIST_RUNNER_SECRET.",
    )
    deployment: str = Field(
        default="scenarist",
        pattern=r"^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$",
        description="The name of this Scenarist, as the label `app.kubernetes.io/instance` of its Jobs. Two "
        "that share a namespace need different ones.",
    )
    labels: dict[str, str] = Field(default={}, description="More labels of Jobs and pods.")
    annotations: dict[str, str] = Field(default={}, description="Annotations of Jobs and pods.")
    env: dict[str, str] = Field(default={}, description="Settings of the worker, without secrets.")
    secrets: dict[str, SecretKey] = Field(
        default={}, description="Settings of the worker that are secrets: variable -> key of a Secret."
    )
    config_maps: tuple[str, ...] = Field(default=(), description="ConfigMaps whose keys are settings.")
    sandbox: Literal["bubblewrap", "pod"] = Field(
        default="bubblewrap",
        description="What confines a model's commands: `bubblewrap` needs user namespaces in the pod; with "
        "`pod` they share the worker's container, and each pull request says so.",
    )
    host_users: bool = Field(default=False, description="Whether the pod shares the node's users.")
    runtime_class: str = Field(default="", description="gVisor or Kata, by the name of its RuntimeClass.")
    seccomp: Seccomp | None = Field(
        default=None,
        description="Not set: `Unconfined` for bubblewrap, which needs `unshare` and `mount`; else "
        "`RuntimeDefault`.",
    )
    user: int = Field(default=10001, ge=1, description="The user and group that the worker runs as.")
    requests: dict[str, str] = Field(
        default={"cpu": "1", "memory": "2Gi", "ephemeral-storage": "2Gi"}, description="What is reserved."
    )
    limits: dict[str, str] = Field(
        default={"memory": "8Gi", "ephemeral-storage": "50Gi"}, description="What may be used at most."
    )
    gpu: Gpu = Gpu()
    state_size: str = Field(default="40Gi", description="Size of the emptyDir of mirrors and worktrees.")
    tmp_size: str = Field(default="8Gi", description="Size of the emptyDir of temporary files.")
    node_selector: dict[str, str] = Field(default={}, description="Labels of the nodes that may be used.")
    tolerations: tuple[dict[str, str | int], ...] = Field(
        default=(), description="As in Kubernetes; with a GPU usually one for its taint."
    )
    priority_class: str = Field(default="", description="The name of a PriorityClass.")
    deadline_seconds: int = Field(
        default=6 * 3600, ge=60, description="A Job that works for longer is ended, and its run fails."
    )
    start_seconds: int = Field(
        default=600, ge=1, description="A pod that has not started after this time is given up."
    )
    grace_seconds: int = Field(
        default=45,
        ge=5,
        description="The time between SIGTERM and SIGKILL; more than SCENARIST_STOP_SECONDS.",
    )
    keep_seconds: int = Field(default=3600, ge=0, description="How long a Job is kept after its end.")
    jobs_at_once: int = Field(default=10, ge=1, description="How many Jobs may exist that have not ended.")

    @model_validator(mode="after")
    def _fits(self) -> "JobValues":
        if self.sandbox == "bubblewrap" and self.host_users and not self.runtime_class:
            raise ValueError(
                "bubblewrap needs `host_users: false` or a `runtime_class`, or set `sandbox: pod`"
            )
        if (self.seccomp is not None and self.seccomp.type == "Localhost") != bool(
            self.seccomp is not None and self.seccomp.localhost_profile
        ):
            raise ValueError("`localhost_profile` belongs to a seccomp profile of the type Localhost")
        return self


def load_values(path: Path | None) -> JobValues:
    """Read the values file. Raises `ValuesInvalid`, which names the line or key."""
    if path is None:
        raise ValuesInvalid("SCENARIST_KUBERNETES_FILE is not set.")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValuesInvalid(f"{path} cannot be read: {error}.") from None
    return read_yaml(text, path.name, JobValues, ValuesInvalid)
