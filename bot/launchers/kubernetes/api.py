"""The calls of the Kubernetes API that launching needs, over HTTP with httpx.

https://kubernetes.io/docs/reference/using-api/api-concepts/ says what lists, watches and conflicts mean.
"""

import contextlib
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from bot.launchers.kubernetes.manifest import Manifest
from bot.launchers.kubernetes.values import ACCOUNT, JobValues, ValuesInvalid
from bot.launchers.launcher import LauncherUnavailable, LaunchRefused

_TIMEOUT_S = 20.0
# The server ends a watch after this time, and the next one begins.
_WATCH_S = 240
_PAGE = 500


class Api:
    """The API server, as seen by one deployment. `labels` select its Jobs and pods.

    Every call raises `LauncherUnavailable` when the server does not answer, fails (5xx), is busy (429) or
    does not accept the token.
    """

    def __init__(self, values: JobValues, labels: Mapping[str, str]) -> None:
        self._access = values.api
        self._selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        self.url = values.api.url or _own_cluster()
        self.namespace = values.namespace or own_namespace()
        if not self.namespace:
            raise ValuesInvalid("`namespace` is not set, and this process does not run in a cluster.")
        self._client = httpx.Client(
            base_url=self.url,
            timeout=_TIMEOUT_S,
            verify=_context(values.api.ca_file) if self.url.startswith("https:") else False,
            trust_env=False,
        )

    def create_job(self, manifest: Manifest, *, dry_run: bool = False) -> bool:
        """Create a Job; returns False if there is one with its name. With `dry_run` it is only tried.

        Raises `LaunchRefused` if the server does not want it, and `LauncherUnavailable` also if a quota of
        the namespace is used up.
        """
        params = {"dryRun": "All"} if dry_run else {}
        answer = self._ask("POST", self._jobs, json=manifest, params=params)
        if answer.status_code == HTTPStatus.CONFLICT:
            return False
        if answer.is_error:
            said = _message(answer)
            if answer.status_code == HTTPStatus.FORBIDDEN and "exceeded quota" in said:
                raise LauncherUnavailable(f"The namespace {self.namespace} takes no more Jobs: {said}.")
            raise LaunchRefused(f"The Kubernetes API refused a Job ({answer.status_code}): {said}.")
        return True

    def jobs(self) -> list[Manifest]:
        """Return all Jobs of this deployment."""
        return self._list(self._jobs, self._selector)[0]

    def pods(self) -> list[Manifest]:
        """Return all pods of this deployment."""
        return self._list(self._pods, self._selector)[0]

    def delete_job(self, name: str) -> None:
        """Delete a Job and then its pods; one that does not exist is no error."""
        answer = self._ask("DELETE", f"{self._jobs}/{name}", params={"propagationPolicy": "Background"})
        if answer.is_error and answer.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            raise LauncherUnavailable(f"The Job {name} cannot be deleted: {_message(answer)}.")

    def may(self, verb: str, resource: str, group: str = "") -> str:
        """Return why the dispatcher may not do `verb` to `resource` in the namespace; empty if it may.

        Asks by SelfSubjectAccessReview, which every account may create.
        """
        asked = {"namespace": self.namespace, "verb": verb, "resource": resource, "group": group}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        answer = self._ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json=review)
        if answer.is_error:
            raise LauncherUnavailable(f"The Kubernetes API does not say what is allowed: {_message(answer)}.")
        status = answer.json().get("status", {})
        return "" if status.get("allowed") else str(status.get("reason") or "no role allows it")

    @contextlib.contextmanager
    def watching(self, changed: Callable[[], None]) -> Iterator[None]:
        """Within the context call `changed` from another thread after each change of a Job.

        It is also called whenever a watch was interrupted, since changes may have been missed.
        """
        watch = _JobWatch(self, changed)
        thread = threading.Thread(target=watch.run, name="watch-jobs", daemon=True)
        thread.start()
        try:
            yield
        finally:
            watch.stop()
            thread.join()

    @property
    def _jobs(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs"

    @property
    def _pods(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"

    def _list(self, path: str, selector: str, limit: int = _PAGE) -> tuple[list[Manifest], str]:
        """Return the items, page by page, and the resource version of the list."""
        found: list[Manifest] = []
        more: dict[str, str] = {}
        while True:
            params = {"labelSelector": selector, "limit": str(limit), **more}
            answer = self._ask("GET", path, params=params)
            if answer.is_error:
                raise LauncherUnavailable(f"The Kubernetes API does not list {path}: {_message(answer)}.")
            page = answer.json()
            found += page.get("items") or []
            about = page.get("metadata", {})
            if not about.get("continue"):
                return found, str(about.get("resourceVersion", ""))
            more = {"continue": about["continue"]}

    def version(self) -> str:
        """Return the resource version of the present list of Jobs, at which a watch can begin."""
        return self._list(self._jobs, self._selector)[1]

    @contextlib.contextmanager
    def watch(self, version: str) -> Iterator[httpx.Response]:
        """Open a watch of the Jobs that begins at `version`; its lines are events in JSON."""
        params: dict[str, str] = {
            "watch": "1",
            "labelSelector": self._selector,
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_S),
            "allowWatchBookmarks": "true",
        }
        timeout = httpx.Timeout(_TIMEOUT_S, read=_WATCH_S + _TIMEOUT_S)
        with self._client.stream(
            "GET", self._jobs, params=params, headers=self._headers(), timeout=timeout
        ) as answer:
            yield answer

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, headers=self._headers(), **more)
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise LauncherUnavailable(
                f"The Kubernetes API at {self.url} does not answer: {type(error).__name__}."
            ) from None
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise LauncherUnavailable(f"The Kubernetes API at {self.url} does not accept the token.")
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS or answer.is_server_error:
            raise LauncherUnavailable(
                f"The Kubernetes API at {self.url} failed ({answer.status_code}): {_message(answer)}."
            )
        return answer

    def _headers(self) -> dict[str, str]:
        # Kubernetes replaces the token in the file every hour or so.
        try:
            token = self._access.token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise LauncherUnavailable(
                f"The token of the Kubernetes API cannot be read from {self._access.token_file}."
            ) from None
        return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


class _JobWatch:
    """Watches the Jobs until it is stopped, over as many connections as that takes."""

    def __init__(self, api: Api, changed: Callable[[], None]) -> None:
        self._api = api
        self._changed = changed
        self._stopping = threading.Event()
        self._socket: socket.socket | None = None

    def run(self) -> None:
        wait_s, version = 1.0, ""
        while not self._stopping.is_set():
            try:
                version = self._follow(version or self._api.version())
                wait_s = 1.0
            except (LauncherUnavailable, httpx.HTTPError, OSError, ValueError):
                # The dispatcher's own calls say so when the server is away.
                version = ""
                self._stopping.wait(wait_s)
                wait_s = min(2 * wait_s, 30.0)
            self._changed()

    def stop(self) -> None:
        self._stopping.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _follow(self, version: str) -> str:
        """Follow one watch to its end; returns where the next one begins, empty where a list must say it."""
        with self._api.watch(version) as answer:
            if answer.is_error:
                return ""
            self._socket = answer.extensions["network_stream"].get_extra_info("socket")
            if self._stopping.is_set():  # `stop` may have missed this socket
                return ""
            for line in answer.iter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":  # 410: the version is too old
                    return ""
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._changed()
        return version


def _message(answer: httpx.Response) -> str:
    """Return what the server said, without a full stop at the end."""
    try:
        said = answer.json().get("message", "")
    except (ValueError, AttributeError):
        said = ""
    return (said or answer.reason_phrase or "no reason").strip().rstrip(".")[:300]


def _own_cluster() -> str:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ValuesInvalid("`api.url` is not set, and this process does not run in a cluster.")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def own_namespace() -> str:
    """Return the namespace of the pod that this process runs in, or an empty text outside of a cluster."""
    try:
        return (ACCOUNT / "namespace").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _context(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise ValuesInvalid(f"`api.ca_file`: {ca_file} cannot be used: {said}.") from None
