"""The proxy of the set-up step: registries, and nothing else."""

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from runners.environment.registries import Proxy, hosts_of, operator_settings, package_settings


class _Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{self.path} {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """A registry on this machine."""
    with HTTPServer(("127.0.0.1", 0), _Registry) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def say(path: Path, text: str) -> str:
    """What the proxy answers to `text`, until it closes the connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(path))
        connection.sendall(text.encode())
        answer = b""
        while data := connection.recv(65_536):
            answer += data
    return answer.decode()


def test_an_operators_own_registry_is_reached_both_ways(tmp_path: Path, port: int) -> None:
    with Proxy(tmp_path / "proxy", [f"127.0.0.1:{port}"]) as proxy:
        plain = say(
            tmp_path / "proxy", f"GET http://127.0.0.1:{port}/simple/?a=1 HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert plain.endswith("/simple/?a=1 x")
        tunnel = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\nGET /a HTTP/1.0\r\nHost: y\r\n\r\n"
        assert say(tmp_path / "proxy", tunnel).endswith("/a y")
        assert proxy.refused == set()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "169.254.169.254", "example.org", "pypi.org.example.org"]
)
def test_everything_else_is_refused_and_named(tmp_path: Path, port: int, host: str) -> None:
    with Proxy(tmp_path / "proxy") as proxy:
        answer = say(tmp_path / "proxy", f"CONNECT {host}:{port} HTTP/1.1\r\n\r\n")
    assert answer.startswith("HTTP/1.1 403") and proxy.refused == {f"{host}:{port}"}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "0.0.0.0"])
def test_a_registrys_name_that_leads_to_this_machine_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with Proxy(tmp_path / "proxy") as proxy:
        answer = say(tmp_path / "proxy", "CONNECT pypi.org:443 HTTP/1.1\r\n\r\n")
    assert answer.startswith("HTTP/1.1 403") and proxy.refused == {"pypi.org"}


def test_even_an_operators_name_leads_to_no_metadata_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with Proxy(tmp_path / "proxy", ["*.corp.example"]):
        answer = say(tmp_path / "proxy", "GET http://a.corp.example/latest HTTP/1.1\r\n\r\n")
    assert answer.startswith("HTTP/1.1 403")


def test_the_machines_own_proxy_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def outer() -> None:
            near, _ = listener.accept()
            with near, socket.create_connection(("127.0.0.1", port)) as far:
                asked.append(near.recv(65_536).decode())
                near.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                far.sendall(near.recv(65_536))
                while data := far.recv(65_536):
                    near.sendall(data)

        thread = threading.Thread(target=outer)
        thread.start()
        monkeypatch.setenv("http_proxy", f"http://me:pw@127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with Proxy(tmp_path / "proxy", ["registry.corp.example"]):
            answer = say(tmp_path / "proxy", "GET http://registry.corp.example/x HTTP/1.1\r\nHost: h\r\n\r\n")
        thread.join()
    assert answer.endswith("/x h")
    assert asked[0].startswith("CONNECT registry.corp.example:80 ") and "Basic bWU6cHc=" in asked[0]


def test_the_operators_indexes_come_from_variables_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "NPM_", "GOP"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(
        "[global]\nindex-url = https://me:pw@pip.corp.example:8443/simple\n"
    )
    (tmp_path / ".npmrc").write_text("registry=https://npm.corp.example/\n")
    found = operator_settings()
    assert found["UV_DEFAULT_INDEX"] == found["PIP_INDEX_URL"] == "https://me:pw@pip.corp.example:8443/simple"
    assert set(hosts_of(found)) >= {"pip.corp.example:8443", "npm.corp.example"}

    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.corp.example/simple")
    monkeypatch.setenv("UV_INDEX", "a=https://a.corp.example/x https://b.corp.example/x")
    monkeypatch.setenv("GOPROXY", "https://go.corp.example,direct")
    assert {"UV_INDEX", "GOPROXY"} <= set(package_settings()), "workers are given them"
    hosts = set(hosts_of(operator_settings()))
    assert hosts >= {"uv.corp.example", "a.corp.example", "b.corp.example", "go.corp.example"}
