"""A strict stand-in of the Kubernetes API server: the REST calls that launching Jobs needs, over a real socket.

It demands a token, checks every manifest, knows label selectors, pages, resource versions and 409, and watches
that deliver, end and break off. What no call of ours may use is answered with an error and noted in `violations`.
"""

import json
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.standins.kubernetes_cluster import Cluster, Invalid, check_job, labelled
from tests.standins.serving import LoopbackServer, QuietHandler

TOKEN = "the-account-token"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
PODS = "/api/v1/namespaces/default/pods"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
RIGHTS = frozenset(
    [("batch", "jobs", verb) for verb in ("create", "list", "watch", "delete")] + [("", "pods", "list")]
)


class KubernetesApi(LoopbackServer):
    """The server of `cluster`, up within ``with``; `values` are those of the values file that reach it.

    While `away` it closes every connection without an answer. With `quota` it refuses new Jobs, and with
    `forbidden` all of them. `rights` are what the account may do.
    """

    def __init__(self, cluster: Cluster, folder: Path, *, tls: bool = False) -> None:
        self.cluster = cluster
        self.violations: list[str] = []
        self.rights = RIGHTS
        self.away = self.quota = self.forbidden = False
        self.watches = 0
        self._cuts = 0
        self.token_file = folder / "token"
        self.token_file.write_text(TOKEN)
        super().__init__(_handler(self))
        self.ca_file = folder / "ca.crt"
        self._scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*_certificate(self.ca_file))
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def root(self) -> str:
        """``http://127.0.0.1:PORT``, or https."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def values(self) -> dict[str, Any]:
        return {
            "api": {"url": self.root, "token_file": str(self.token_file), "ca_file": str(self.ca_file)},
            "namespace": "default",
            "image": "registry.example.com/scenarist-runner:1",
        }

    def cut_watches(self) -> None:
        """Break off all watches in the middle of a line."""
        with self.cluster.changed:
            self._cuts += 1
            self.cluster.changed.notify_all()

    @property
    def cuts(self) -> int:
        return self._cuts


def _certificate(file: Path) -> tuple[Path, Path]:
    """Write a certificate of this server's own, and its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file.write_bytes(made.public_bytes(pem))
    key_file = file.with_suffix(".key")
    plain = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return file, key_file


def _handler(api: KubernetesApi) -> type[BaseHTTPRequestHandler]:
    cluster = api.cluster

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self._do("GET")

        def do_POST(self) -> None:
            self._do("POST")

        def do_DELETE(self) -> None:
            self._do("DELETE")

        def _do(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if api.away:
                self._break_off()
                return
            if self.headers.get("authorization") != f"Bearer {TOKEN}":
                self._status(401, "Unauthorized", "Unauthorized")
                return
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if method == "POST" and parts.path == JOBS:
                self._create(json.loads(body), only_try=query.get("dryRun") == "All")
            elif method == "GET" and parts.path == JOBS and query.get("watch") == "1":
                self._watch(query)
            elif method == "GET" and parts.path in (JOBS, PODS):
                self._list("jobs" if parts.path == JOBS else "pods", query)
            elif method == "DELETE" and parts.path.startswith(f"{JOBS}/"):
                self._delete(parts.path.removeprefix(f"{JOBS}/"), query)
            elif method == "POST" and parts.path == REVIEWS:
                self._review(json.loads(body))
            else:
                self._violates(404, f"{method} {parts.path}")

        def _create(self, job: dict[str, Any], *, only_try: bool) -> None:
            name = job.get("metadata", {}).get("name", "")
            if api.forbidden or ("batch", "jobs", "create") not in api.rights:
                self._status(
                    403, "Forbidden", 'jobs.batch is forbidden: User "dispatcher" cannot create resource'
                )
                return
            if api.quota and name not in cluster.jobs:
                said = f'jobs.batch "{name}" is forbidden: exceeded quota: jobs, used: count/jobs.batch=1'
                self._status(403, "Forbidden", said)
                return
            try:
                check_job(job)
                made = job if only_try else cluster.create(job)
            except Invalid as error:
                self._violates(422, str(error))
                return
            if made is None:
                self._status(409, "AlreadyExists", f'jobs.batch "{name}" already exists')
            else:
                self._answer(201, made)

        def _list(self, kind: str, query: dict[str, str]) -> None:
            if unknown := set(query) - {"labelSelector", "limit", "continue"}:
                self._violates(400, f"unknown parameters {unknown}")
                return
            try:
                with cluster.changed:
                    found, version = cluster.find(kind, query.get("labelSelector", "")), cluster.version
            except ValueError as error:
                self._violates(400, str(error))
                return
            first, limit = int(query.get("continue", "0")), int(query.get("limit", "500"))
            page, more = found[first : first + limit], len(found) > first + limit
            about = {"resourceVersion": version, **({"continue": str(first + limit)} if more else {})}
            self._answer(200, {"kind": "List", "apiVersion": "v1", "metadata": about, "items": page})

        def _delete(self, name: str, query: dict[str, str]) -> None:
            if query.get("propagationPolicy") != "Background":
                self._violates(400, "without propagationPolicy=Background pods would be orphaned")
            elif cluster.delete(name):
                self._status(200, "", "", success=True)
            else:
                self._status(404, "NotFound", f'jobs.batch "{name}" not found')

        def _review(self, review: dict[str, Any]) -> None:
            asked = review["spec"]["resourceAttributes"]
            right = (asked.get("group", ""), asked["resource"], asked["verb"])
            allowed = right in api.rights and asked["namespace"] == "default"
            self._answer(201, {**review, "status": {"allowed": allowed}})

        def _watch(self, query: dict[str, str]) -> None:
            version, selector = int(query["resourceVersion"]), query.get("labelSelector", "")
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            api.watches += 1
            began, done = api.cuts, threading.Event()
            timer = threading.Timer(float(query["timeoutSeconds"]), self._end_watch, (done,))
            timer.daemon = True
            timer.start()
            try:
                while not done.is_set():
                    with cluster.changed:
                        if version < cluster.floor:
                            status = {"kind": "Status", "code": 410, "reason": "Expired"}
                            self._event("ERROR", status)
                            break
                        new = [each for each in cluster.history if each[0] > version]
                        if not new and api.cuts == began and not api.away:
                            cluster.changed.wait()
                            continue
                    if api.cuts != began or api.away:
                        self._chunk(b'{"type": "MODI')
                        self._break_off()
                        return
                    for number, kind, job in new:
                        version = number
                        if labelled(job, selector):
                            self._event(kind, job)
                self._chunk(b"")
            except ConnectionError:
                self.close_connection = True
            finally:
                timer.cancel()

        def _break_off(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def _end_watch(self, done: threading.Event) -> None:
            done.set()
            with cluster.changed:
                cluster.changed.notify_all()

        def _event(self, kind: str, thing: dict[str, Any]) -> None:
            self._chunk(json.dumps({"type": kind, "object": thing}).encode() + b"\n")

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()

        def _violates(self, status: int, what: str) -> None:
            api.violations.append(what)
            self._status(status, "Invalid", what)

        def _status(self, code: int, reason: str, message: str, *, success: bool = False) -> None:
            outcome = "Success" if success else "Failure"
            said = {"kind": "Status", "apiVersion": "v1", "status": outcome, "message": message}
            self._answer(code, {**said, "reason": reason, "code": code})

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
