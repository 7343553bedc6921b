"""A proxy through which the set-up step can reach package registries and nothing else.

The sandbox of the step has its own network with only a loopback address. In it, a small program
(`inside/scenarist_setup.py`) passes connections through a socket file to this proxy, which speaks HTTP:
CONNECT, https://www.rfc-editor.org/rfc/rfc9110#name-connect, and plain requests with a whole URL.
"""

import base64
import configparser
import contextlib
import ipaddress
import os
import re
import select
import socket
import socketserver
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from runners.serving import ServedInThread

# The registries of PyPI, npm (and Yarn's name for it), crates.io and Go.
PUBLIC = (
    "pypi.org",
    "files.pythonhosted.org",
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "index.crates.io",
    "static.crates.io",
    "crates.io",
    "proxy.golang.org",
    "sum.golang.org",
)
# Variables that name an operator's own registries.
_INDEXES = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "NPM_CONFIG_REGISTRY",
    "GOPROXY",
    "GOSUMDB",
)
_OTHERS = ("GOPRIVATE", "GONOSUMDB", "UV_INDEX_STRATEGY")
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_PORTS = (80, 443)
_HEAD_BYTES = 65_536
_IDLE_S = 300.0
_CONNECT_S = 30.0


def package_settings() -> dict[str, str]:
    """Return the variables of this process that package managers read: indexes and configuration files."""
    names = (*_INDEXES, *_OTHERS, "PIP_CONFIG_FILE")
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def operator_settings() -> dict[str, str]:
    """Return the variables for package managers: the operator's own, then those in their configuration files.

    The files of pip, uv and npm are read, of the machine and of the account. pip's index is used for uv, too,
    if uv has none.
    """
    found = {name: os.environ[name] for name in (*_INDEXES, *_OTHERS) if os.environ.get(name)}
    pip = _pip_settings()
    if not any(name in found for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")):
        index = found.get("PIP_INDEX_URL") or pip.get("index-url") or _uv_index(default=True)
        if index:
            found["UV_DEFAULT_INDEX"] = index
            found.setdefault("PIP_INDEX_URL", index)
    if not any(name in found for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL")):
        more = found.get("PIP_EXTRA_INDEX_URL") or pip.get("extra-index-url") or _uv_index(default=False)
        remote = " ".join(url for url in more.split() if url.startswith(("http://", "https://")))
        if remote:
            found["UV_INDEX"] = remote
            found.setdefault("PIP_EXTRA_INDEX_URL", remote)
    if "NPM_CONFIG_REGISTRY" not in found and (registry := _npm_registry()):
        found["NPM_CONFIG_REGISTRY"] = registry
    if Path(_CERTIFICATES).exists():
        found |= dict.fromkeys(
            ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE"), _CERTIFICATES
        )
    return found


def _pip_settings() -> dict[str, str]:
    """Return the section `global` of pip's files, https://pip.pypa.io/en/stable/topics/configuration/."""
    home = Path.home()
    own = os.environ.get("PIP_CONFIG_FILE", "")
    places = [
        "/etc/xdg/pip/pip.conf",
        "/etc/pip.conf",
        str(home / ".pip/pip.conf"),
        str(home / ".config/pip/pip.conf"),
    ]
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    for place in [*places, own]:
        with contextlib.suppress(configparser.Error, OSError, UnicodeDecodeError):
            parser.read(place)
    return dict(parser["global"]) if parser.has_section("global") else {}


def _uv_index(*, default: bool) -> str:
    """Return the indexes in uv's files, https://docs.astral.sh/uv/concepts/configuration-files/: the
    default one, or the others.
    """
    found: list[str] = []
    for place in (Path("/etc/uv/uv.toml"), Path.home() / ".config/uv/uv.toml"):
        try:
            data = tomllib.loads(place.read_text())
        except (OSError, ValueError):
            continue
        listed = data.get("index")
        for each in listed if isinstance(listed, list) else ():
            if (
                isinstance(each, dict)
                and isinstance(each.get("url"), str)
                and bool(each.get("default")) == default
            ):
                found.append(each["url"])
        pip_like: Any = data.get("index-url") if default else data.get("extra-index-url")
        found += [pip_like] if isinstance(pip_like, str) else pip_like if isinstance(pip_like, list) else []
    return " ".join(found[-1:] if default else found)


def _npm_registry() -> str:
    for place in (Path.home() / ".npmrc", Path("/etc/npmrc"), Path("/usr/etc/npmrc")):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if match := re.search(r"^\s*registry\s*=\s*(\S+)", place.read_text(), re.M):
                return match[1].strip("\"'")
    return ""


def hosts_of(settings: Mapping[str, str]) -> list[str]:
    """Return the hosts (``name`` or ``name:port``) of the registries that package managers' variables
    name.
    """
    found = []
    for name in _INDEXES:
        for url in re.split(r"[\s,|]+", settings.get(name, "")):
            url = url.partition("=")[2] if re.match(r"[\w-]+=https?:", url) else url
            try:
                parts = urlsplit(url if "://" in url else "")
                host, port = parts.hostname, parts.port
            except ValueError:
                continue
            if host and parts.scheme in ("http", "https"):
                found.append(f"{host}:{port}" if port else host)
    return found


class Proxy(ServedInThread):
    """A proxy on a socket file at `path`, as a context manager.

    `operator` are further hosts (``name``, ``name:port`` or ``*.name``), which may be in a private network or
    on this machine. `refused` has the hosts that were refused.
    """

    def __init__(self, path: Path, operator: Sequence[str] = ()) -> None:
        self.refused: set[str] = set()
        self._operator = tuple(each.lower() for each in operator)
        self._server = _ProxyServer(str(path), self)
        path.chmod(0o666)  # the sandbox's user may be another one

    def connect(self, host: str, port: int) -> socket.socket:
        """Return a connection to a registry, through the machine's own proxy where it has one.

        Raises `PermissionError` or `OSError`.
        """
        name = host.lower().rstrip(".")
        known = self._is_operators(name, port)
        if not known and not (name in PUBLIC and port in _PORTS):
            self.refused.add(host if port in _PORTS else f"{host}:{port}")
            raise PermissionError(f"{host} is none of the package registries that the set-up step may reach")
        if upstream := _upstream(name, port):
            return _through(upstream, host, port)
        addresses = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        for address in addresses if not known else {each for each in addresses if _is_metadata(str(each))}:
            if _is_here(str(address)):
                self.refused.add(host)
                raise PermissionError(f"{host} leads to {address}, which is no public address")
        return socket.create_connection((host, port), timeout=_CONNECT_S)

    def _is_operators(self, name: str, port: int) -> bool:
        for each in self._operator:
            host, _, number = each.partition(":")
            fits = name.endswith(host[1:]) if host.startswith("*.") else name == host
            if fits and (port == int(number) if number.isdigit() else port in _PORTS):
                return True
        return False


def _is_metadata(address: str) -> bool:
    """Return whether clouds give credentials at an address to whoever asks."""
    found = ipaddress.ip_address(address.partition("%")[0])
    return found.is_link_local or address in ("100.100.100.200", "fd00:ec2::254")


def _is_here(address: str) -> bool:
    """Return whether an address leads to this machine, or to no particular machine."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or found
    return mapped.is_loopback or mapped.is_unspecified or mapped.is_multicast or _is_metadata(str(mapped))


def _upstream(host: str, port: int) -> str:
    """Return the machine's own proxy for a host, from the usual variables; empty if there is none for it."""
    scheme = "https" if port == 443 else "http"
    url = next(
        (os.environ[name] for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY") if os.environ.get(name)),
        "",
    )
    without = [
        each.strip().lstrip("*.")
        for each in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")
    ]
    if not url or any(each and (host == each or host.endswith(f".{each}")) for each in without):
        return ""
    return url


def _through(upstream: str, host: str, port: int) -> socket.socket:
    """Return a tunnel through another proxy."""
    parts = urlsplit(upstream if "://" in upstream else f"http://{upstream}")
    connection = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_CONNECT_S)
    head = f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n"
    if parts.username:
        plain = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        head += f"Proxy-Authorization: Basic {base64.b64encode(plain.encode()).decode()}\r\n"
    connection.sendall(f"{head}\r\n".encode())
    said = _read_head(connection)
    if not re.match(rb"HTTP/1\.[01] 2\d\d", said):
        connection.close()
        raise OSError("the machine's own proxy refused the connection")
    return connection


def _read_head(connection: socket.socket) -> bytes:
    """Return the bytes up to the end of the header, and what came with them."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _HEAD_BYTES:
        data = connection.recv(_HEAD_BYTES)
        if not data:
            break
        head += data
    return head


class _ProxyServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, path: str, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(path, _ProxyHandler)


class _ProxyHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self._serve(_read_head(self.request))

    def _serve(self, head: bytes) -> None:
        header, _, rest = head.partition(b"\r\n\r\n")
        first, *lines = header.split(b"\r\n")
        try:
            method, target, _version = first.decode("ascii").split(" ", 2)
            parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
            host, port = parts.hostname or "", parts.port or 80
        except (ValueError, UnicodeDecodeError):
            self._answer(400, "This is no request to a proxy.")
            return
        try:
            with self.server.proxy.connect(host, port) as upstream:  # type: ignore[attr-defined]
                if method == "CONNECT":
                    self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                    if rest:
                        upstream.sendall(rest)
                else:
                    kept = [
                        line
                        for line in lines
                        if not re.match(rb"(?i)(proxy-)?connection:|proxy-authorization:", line)
                    ]
                    path = parts.path or "/"
                    path += f"?{parts.query}" if parts.query else ""
                    request = [f"{method} {path} HTTP/1.1".encode(), *kept, b"Connection: close"]
                    upstream.sendall(b"\r\n".join(request) + b"\r\n\r\n" + rest)
                _relay(self.request, upstream)
        except PermissionError as error:
            self._answer(403, str(error))
        except OSError as error:
            self._answer(502, f"{host} cannot be reached: {error}")

    def _answer(self, status: int, said: str) -> None:
        body = f"{said}\n".encode()
        head = f"HTTP/1.1 {status} {said}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.request.sendall(head.encode("ascii", "replace") + body)


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Copy bytes both ways until one side ends, or neither sends anything for minutes."""
    pairs = {one: other, other: one}
    while True:
        ready, _, _ = select.select(list(pairs), [], [], _IDLE_S)
        if not ready:
            return
        for side in ready:
            data = side.recv(65_536)
            if not data:
                return
            pairs[side].sendall(data)


@contextlib.contextmanager
def proxied(folder: Path, operator: Sequence[str]) -> Iterator[tuple[Proxy, Path]]:
    """A proxy with its socket in `folder`, which is mounted where the set-up program looks for it."""
    path = folder / "proxy"
    path.unlink(missing_ok=True)
    with Proxy(path, operator) as proxy:
        yield proxy, path
