"""A cluster in memory that does Jobs: it keeps Jobs and pods as an API server does, and runs the command of each
pod as a process on this machine.

It stands for the API server's objects, the Job controller, the scheduler and the kubelet, as far as Jobs with one
pod need them. Manifests are checked against Kubernetes' own schemas, and for some rules beyond them that a real
server has.
"""

import contextlib
import copy
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import kubernetes_validate

Thing = dict[str, Any]
VERSION = "1.33.0"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


class Invalid(Exception):
    """A manifest that a server would refuse (422)."""


def labelled(thing: Thing, selector: str) -> bool:
    """Whether the labels of `thing` match an equality-based selector. Raises `ValueError` for any other."""
    labels = thing["metadata"].get("labels", {})
    for each in filter(None, selector.split(",")):
        name, equals, value = each.partition("=")
        if not equals or not name or "=" in value or name.endswith("!"):
            raise ValueError(f"unable to parse requirement: {each}")
        if labels.get(name) != value:
            return False
    return True


class Cluster:
    """One namespace. `secrets` and `config_maps` are what pods may refer to: name -> key -> value.

    With `broken_image` no image can be pulled; with `unschedulable` no node takes a pod.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.jobs: dict[str, Thing] = {}
        self.pods: dict[str, Thing] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.config_maps: dict[str, dict[str, str]] = {}
        self.broken_image = self.unschedulable = False
        self.refused: list[str] = []
        self.made: list[str] = []
        # (version, kind of event, the Job then); what is older than `floor` is forgotten.
        self.history: list[tuple[int, str, Thing]] = []
        self.floor = 0
        self._version = 100
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._threads: list[threading.Thread] = []
        self._folder = tempfile.TemporaryDirectory(prefix="scn-k8s-")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._processes):
            self._signal(name, signal.SIGKILL)
        for thread in self._threads:
            thread.join()
        self._folder.cleanup()

    @property
    def version(self) -> str:
        return str(self._version)

    def create(self, job: Thing) -> Thing | None:
        """Store a Job that `check_job` accepts and begin it; None if there is one with its name."""
        with self.changed:
            name = job["metadata"]["name"]
            if name in self.jobs:
                return None
            made = copy.deepcopy(job)
            made["metadata"] |= {
                "uid": str(uuid.uuid4()),
                "namespace": "default",
                "creationTimestamp": _now(),
                "generation": 1,
            }
            made["status"] = {"active": 1}
            self.jobs[name] = made
            self.made.append(name)
            self._note("ADDED", made)
            self._start_pod(made)
            return copy.deepcopy(made)

    def delete(self, name: str) -> bool:
        """Delete a Job in the background: it is gone at once, its pods after their grace period."""
        with self.changed:
            job = self.jobs.pop(name, None)
            if job is None:
                return False
            self._note("DELETED", job)
            for pod in self._pods_of(name):
                self._terminate(pod, _grace(job))
            return True

    def find(self, kind: str, selector: str) -> list[Thing]:
        """Return copies of the Jobs or pods that the selector matches. Raises `ValueError`."""
        with self.changed:
            things = self.jobs if kind == "jobs" else self.pods
            return [copy.deepcopy(each) for each in things.values() if labelled(each, selector)]

    def has_ended(self, job: str) -> bool:
        """Return whether a Job that was made is finished or gone, and none of its pods runs any more."""
        with self.changed:
            done = job not in self.jobs or _finished(self.jobs[job])
            return done and not any(pod["metadata"]["name"] in self._processes for pod in self._pods_of(job))

    # What happens to pods in a cluster.

    def evict(self, job: str, reason: str = "EvictionByEvictionAPI") -> None:
        """Evict the Job's pod: it is marked, its worker gets SIGTERM, and later SIGKILL."""
        with self.changed:
            for pod in self._pods_of(job):
                _mark(pod, "DisruptionTarget", reason, f"{reason} says so")
                self._terminate(pod, _grace(self.jobs[job]))

    def press(self, job: str) -> None:
        """The kubelet kills the Job's pod, because the node lacks memory."""
        with self.changed:
            for pod in self._pods_of(job):
                _mark(
                    pod, "DisruptionTarget", "TerminationByKubelet", "The node was low on resource: memory."
                )
                pod["status"] |= {"reason": "Evicted", "message": "The node was low on resource: memory."}
                self._signal(pod["metadata"]["name"], signal.SIGKILL)

    def lose_node(self, job: str) -> None:
        """The node of the Job's pod is gone with all that ran there."""
        with self.changed:
            for pod in self._pods_of(job):
                _mark(
                    pod,
                    "DisruptionTarget",
                    "DeletionByTaintManager",
                    "Taint manager: deleting due to NoExecute",
                )
                self._signal(pod["metadata"]["name"], signal.SIGKILL)

    def use_up_memory(self, job: str) -> None:
        """The kernel kills the container of the Job's pod."""
        with self.changed:
            for pod in self._pods_of(job):
                pod["oom"] = True
                self._signal(pod["metadata"]["name"], signal.SIGKILL)

    def delete_pod(self, job: str) -> None:
        """Somebody deletes the Job's pod."""
        with self.changed:
            for pod in self._pods_of(job):
                self._terminate(pod, _grace(self.jobs[job]))

    def expire(self, job: str) -> None:
        """The deadline of the Job is over."""
        with self.changed:
            self._fail(self.jobs[job], "DeadlineExceeded", "Job was active longer than specified deadline")
            for pod in self._pods_of(job):
                self._terminate(pod, _grace(self.jobs[job]))

    def forget(self) -> None:
        """Forget all events so far, as a server does after a while."""
        with self.changed:
            self.history.clear()
            self._version += 1
            self.floor = self._version
            self.changed.notify_all()

    # The Job controller, scheduler and kubelet.

    def _pods_of(self, job: str) -> list[Thing]:
        return [
            pod
            for pod in self.pods.values()
            if pod["metadata"]["labels"].get("batch.kubernetes.io/job-name") == job
        ]

    def _start_pod(self, job: Thing) -> None:
        name, template = job["metadata"]["name"], copy.deepcopy(job["spec"]["template"])
        owned = {
            "batch.kubernetes.io/job-name": name,
            "batch.kubernetes.io/controller-uid": job["metadata"]["uid"],
        }
        pod: Thing = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-{uuid.uuid4().hex[:5]}",
                "uid": str(uuid.uuid4()),
                "creationTimestamp": _now(),
                "labels": {**template["metadata"].get("labels", {}), **owned},
            },
            "spec": template["spec"],
            "status": {"phase": "Pending", "conditions": []},
        }
        self.pods[pod["metadata"]["name"]] = pod
        container = pod["spec"]["containers"][0]
        if self.unschedulable:
            message = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
            _mark(pod, "PodScheduled", "Unschedulable", message, status="False")
        elif self.broken_image:
            _waits(pod, "ImagePullBackOff", f'Back-off pulling image "{container["image"]}"')
        else:
            try:
                env = self._environment(container)
            except KeyError as missing:
                _waits(pod, "CreateContainerConfigError", f"{missing.args[0]} not found")
                return
            thread = threading.Thread(target=self._run, args=(pod, container, env), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _environment(self, container: Thing) -> dict[str, str]:
        """The variables of a container; mounted paths lead to folders of this pod. Raises `KeyError`."""
        folder = Path(tempfile.mkdtemp(dir=self._folder.name))
        found: dict[str, str] = {}
        for source in container.get("envFrom", []):
            name = source["configMapRef"]["name"]
            if name not in self.config_maps:
                raise KeyError(f'configmap "{name}"')
            found |= self.config_maps[name]
        for each in container.get("env", []):
            if "valueFrom" not in each:
                found[each["name"]] = each["value"]
                continue
            source = each["valueFrom"]["secretKeyRef"]
            if source["key"] not in self.secrets.get(source["name"], {}):
                raise KeyError(f'secret "{source["name"]}"')
            found[each["name"]] = self.secrets[source["name"]][source["key"]]
        for mount in container["volumeMounts"]:
            here = folder / mount["name"]
            here.mkdir()
            for name, value in found.items():
                if value == mount["mountPath"]:
                    found[name] = str(here)
        inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {**inherited, "HOME": str(folder), "TMPDIR": str(folder / "tmp"), **found}

    def _run(self, pod: Thing, container: Thing, env: dict[str, str]) -> None:
        """Be the kubelet of one pod."""
        name = pod["metadata"]["name"]
        job = pod["metadata"]["labels"]["batch.kubernetes.io/job-name"]
        assert container["command"] == ["scenarist"], container["command"]
        words = [sys.executable, "-m", "bot", *container["args"]]
        output = Path(self._folder.name) / f"{name}.log"
        with self.changed, output.open("wb") as log:
            if "deletionTimestamp" in pod["metadata"]:
                self.pods.pop(name, None)
                return
            process = subprocess.Popen(
                words, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            self._processes[name] = process
            pod["status"] |= {"phase": "Running"}
            _state(pod, {"running": {"startedAt": _now()}})
            if job in self.jobs:
                self.jobs[job]["status"]["ready"] = 1
                self._note("MODIFIED", self.jobs[job])
        status = process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the container ends with its first process
        with self.changed:
            self._processes.pop(name, None)
            words_ = output.read_text(errors="replace")[-2048:] if status else ""
            code = 128 - status if status < 0 else status
            oom = pod.pop("oom", False)
            reason = "OOMKilled" if oom else "Completed" if code == 0 else "Error"
            _state(pod, {"terminated": {"exitCode": code, "reason": reason, "message": words_}})
            pod["status"]["phase"] = "Failed" if code or pod["status"].get("reason") else "Succeeded"
            self._ended(self.jobs.get(job), pod)
            if "deletionTimestamp" in pod["metadata"] or job not in self.jobs:
                self.pods.pop(name, None)

    def _ended(self, job: Thing | None, pod: Thing) -> None:
        if job is None or _finished(job):
            return
        job["status"] |= {"active": 0, "ready": 0}
        if pod["status"]["phase"] == "Succeeded":
            job["status"] |= {"succeeded": 1}
            _mark(job, "Complete", "CompletionsReached", "Reached expected number of succeeded pods")
            self._note("MODIFIED", job)
            return
        job["status"]["failed"] = 1
        if _fails(job, pod):
            self._fail(job, "PodFailurePolicy", "a container or a pod matched FailJob")
        else:
            self._fail(job, "BackoffLimitExceeded", "Job has reached the specified backoff limit")

    def _fail(self, job: Thing, reason: str, message: str) -> None:
        _mark(job, "Failed", reason, message)
        self._note("MODIFIED", job)

    def _terminate(self, pod: Thing, grace_s: float) -> None:
        """Send SIGTERM, and SIGKILL after the grace period."""
        name = pod["metadata"]["name"]
        pod["metadata"]["deletionTimestamp"] = _now()
        if not self._signal(name, signal.SIGTERM):
            if pod["status"]["phase"] != "Running":
                self.pods.pop(name, None)
            return
        timer = threading.Timer(grace_s, lambda: self._signal(name, signal.SIGKILL))
        timer.daemon = True
        timer.start()

    def _signal(self, pod: str, number: signal.Signals) -> bool:
        process = self._processes.get(pod)
        if process is None or process.poll() is not None:
            return False
        with contextlib.suppress(ProcessLookupError):
            if number is signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
        return True

    def _note(self, kind: str, job: Thing) -> None:
        self._version += 1
        job["metadata"]["resourceVersion"] = str(self._version)
        self.history.append((self._version, kind, copy.deepcopy(job)))
        self.changed.notify_all()


def check_job(job: Thing) -> None:
    """What a server checks of a Job, as far as it is used here. Raises `Invalid`."""
    try:
        kubernetes_validate.validate(job, VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        raise Invalid(str(error.message)) from None
    meta, spec = job["metadata"], job["spec"]["template"]["spec"]
    if not _NAME.fullmatch(meta["name"]):
        raise Invalid(f"metadata.name: {meta['name']} is no DNS label")
    for name, value in meta.get("labels", {}).items():
        if not _LABEL.fullmatch(value) or len(name.rpartition("/")[2]) > 63:
            raise Invalid(f"metadata.labels: {name}={value}")
    if spec.get("restartPolicy") not in ("Never", "OnFailure"):
        raise Invalid("spec.template.spec.restartPolicy: must be Never or OnFailure")
    if job["spec"].get("podFailurePolicy") and spec["restartPolicy"] != "Never":
        raise Invalid("spec.podFailurePolicy: needs restartPolicy Never")
    volumes = {each["name"] for each in spec.get("volumes", [])}
    for container in spec["containers"]:
        if container.get("securityContext", {}).get("procMount") == "Unmasked" and spec.get(
            "hostUsers", True
        ):
            raise Invalid("securityContext.procMount: `hostUsers` must be false to use `Unmasked`")
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                raise Invalid(f"volumeMounts: {mount['name']} not found")
    for rule in job["spec"].get("podFailurePolicy", {}).get("rules", []):
        exits = rule.get("onExitCodes")
        if (exits is None) == (not rule.get("onPodConditions")):
            raise Invalid("podFailurePolicy.rules: one of onExitCodes and onPodConditions")
        if exits and (exits["operator"] == "In" and 0 in exits["values"]):
            raise Invalid("podFailurePolicy.rules.onExitCodes.values: must not be 0 for In")


def _fails(job: Thing, pod: Thing) -> bool:
    """Whether the Job's pod failure policy says that the Job fails with this pod."""
    terminated = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    for rule in job["spec"].get("podFailurePolicy", {}).get("rules", []):
        exits = rule.get("onExitCodes")
        wanted = {(each["type"], each["status"]) for each in rule.get("onPodConditions", [])}
        has = {(each["type"], each["status"]) for each in pod["status"]["conditions"]}
        if wanted & has or (exits and terminated["exitCode"] in exits["values"]):
            return bool(rule["action"] == "FailJob")
    return False


def _finished(job: Thing) -> bool:
    kinds = {each["type"] for each in job["status"].get("conditions", [])}
    return bool(kinds & {"Complete", "Failed"})


def _grace(job: Thing) -> float:
    return float(job["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30))


def _mark(thing: Thing, kind: str, reason: str, message: str, status: str = "True") -> None:
    condition = {"type": kind, "status": status, "reason": reason, "message": message}
    thing["status"].setdefault("conditions", []).append({**condition, "lastTransitionTime": _now()})


def _waits(pod: Thing, reason: str, message: str) -> None:
    _state(pod, {"waiting": {"reason": reason, "message": message}})


def _state(pod: Thing, state: Thing) -> None:
    pod["status"]["containerStatuses"] = [{"name": pod["spec"]["containers"][0]["name"], "state": state}]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
