"""HTTP for a model: to allowed hosts, at public addresses only, within limits.

A name is resolved once, and the connection goes to exactly the address that was checked, so that a name
server cannot give another answer in between. Proxies of the environment are not used.
"""

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from runners.policy.refused import Refused

_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_CHUNK = 65_536
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
# They would authorise the call with something the model found, or steer the connection.
_HEADERS_REFUSED = re.compile(
    r"host|authorization|cookie|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|keep-alive"
    r"|accept-encoding|forwarded|x-forwarded-.*|proxy-.*|sec-.*|x-http-method.*|metadata.*|x-aws-.*",
    re.IGNORECASE,
)
_TEXT = re.compile(
    r"text/.*|application/(?:.*\+)?(?:json|xml|yaml|toml|javascript|ecmascript|x-www-form-urlencoded|x-ndjson|graphql.*)"
)
# IPv6 addresses that stand for IPv4 ones: RFC 4291 (mapped), 6052 (NAT64), 3056 (6to4), 4380 (Teredo).
_PROTOCOLS = ipaddress.ip_network("192.0.0.0/24")  # RFC 6890; Python takes some of it for global
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: Address) -> bool:
    """Return whether an address is one of the open internet, also where an IPv6 address hides an IPv4 one."""
    if isinstance(address, ipaddress.IPv6Address):
        hidden = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64[0]:
            hidden.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if (
            address in _NAT64[1]
            or address.is_site_local
            or not all(is_public(each) for each in hidden if each)
        ):
            return False
        if address.ipv4_mapped is not None or address in _NAT64[0]:
            return True
    return (
        address.is_global
        and address not in _PROTOCOLS
        and not address.is_multicast
        and not address.is_reserved
    )


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host by the machine's own resolver. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


def host_of(url: str) -> str:
    """Return the host of `url`, in lower case and ASCII.

    Raises `Refused` for what is no plain http or https address.
    """
    return _split(url)[1]


def _split(url: str) -> tuple[SplitResult, str, int]:
    # A browser, a library and a policy may read anything else differently.
    if not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url) or len(url) > 4000:
        raise Refused("The address has characters that are not allowed in one. Encode them with %.")
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError as error:
        raise Refused(f"This is not a valid address: {error}.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise Refused("Give an address that begins with http:// or https:// and names a host.")
    if "@" in parts.netloc:
        raise Refused("An address must not hold a user name or a password.")
    if port not in (80, 443) and port < 1024:
        raise Refused(f"Port {port} is not one of a web server. Use 80, 443 or one from 1024 on.")
    return parts, host, port


@dataclass(frozen=True)
class Response:
    """An answer. `text` is cut if `truncated` is set; `address` is where it came from; header names are in
    lower case.
    """

    status: int
    reason: str
    url: str
    address: str
    headers: Mapping[str, str]
    text: str
    truncated: bool


@dataclass(frozen=True)
class HttpAccess:
    """How requests are made.

    `seconds` limits a whole request with its redirects, `max_bytes` how much of an answer is kept. `resolver`
    returns the addresses of a host, and `allowed` says whether an address may be connected to.
    """

    seconds: float = 20.0
    max_bytes: int = 200_000
    resolver: Callable[[str, int], list[str]] = resolve
    allowed: Callable[[Address], bool] = is_public
    tls: ssl.SSLContext | None = None

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        check: Callable[[str], None],
        *,
        own: Mapping[str, str] | None = None,
    ) -> Response:
        """Make a request; redirects of GET and HEAD are followed.

        `check` gets every host before it is asked and raises `Refused` for those that are not allowed. `own`
        are headers of the operator's, which may hold credentials: no redirect gets them. Raises `Refused` for
        all that does not end in an answer.
        """
        _check_headers(headers)
        sent = {**headers, **(own or {})}
        deadline = time.monotonic() + self.seconds
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._once(method, url, sent, body, check, deadline)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or location is None or method not in ("GET", "HEAD"):
                return answer
            url, sent = urljoin(url, location), dict(headers)
        raise Refused(f"There were more than {_MAX_REDIRECTS} redirects.")

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        check: Callable[[str], None],
        deadline: float,
    ) -> Response:
        parts, host, port = _split(url)
        check(host)
        address = self._address(host, port, deadline)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            with _connection(parts.scheme, host, port, address, self.tls, deadline) as connection:
                sent = {"User-Agent": "scenarist", "Accept-Encoding": "identity", **headers}
                connection.request(method, path, body or None, sent)
                answer = connection.getresponse()
                names = {name.lower(): value for name, value in answer.getheaders()}
                text, truncated = "", False
                if method != "HEAD" and answer.status not in _REDIRECTS:
                    text, truncated = self._read(answer, names)
                return Response(answer.status, answer.reason, url, address, names, text, truncated)
        except TimeoutError:
            raise Refused(f"{host} did not answer within {self.seconds:g} s.") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() >= deadline:
                raise Refused(f"{host} did not answer within {self.seconds:g} s.") from None
            raise Refused(
                f"{host} could not be reached: {type(error).__name__}: {str(error)[:200]}."
            ) from None

    def _address(self, host: str, port: int, deadline: float) -> str:
        """Return the one address that will be connected to; every one of the host's must be allowed."""
        pool = ThreadPoolExecutor(1)
        try:
            left = max(0.0, deadline - time.monotonic())
            found = list(dict.fromkeys(pool.submit(self.resolver, host, port).result(left)))
        except TooLate:
            raise Refused(f"The name {host} was not resolved in time.") from None
        except (OSError, UnicodeError):
            raise Refused(f"The name {host} cannot be resolved.") from None
        finally:
            pool.shutdown(wait=False)
        for each in found:
            if not self.allowed(ipaddress.ip_address(each.partition("%")[0])):
                raise Refused(f"{host} leads to {each}, which is not an address of the open internet.")
        if not found:
            raise Refused(f"The name {host} has no address.")
        return found[0]

    def _read(self, answer: http.client.HTTPResponse, names: Mapping[str, str]) -> tuple[str, bool]:
        kind = names.get("content-type", "text/plain").split(";")[0].strip().lower()
        if not _TEXT.fullmatch(kind):
            raise Refused(
                f"The answer is {kind} ({names.get('content-length', 'unknown')} bytes), which is not shown."
            )
        if names.get("content-encoding", "identity") != "identity":
            raise Refused("The answer is compressed, which was not requested, and is not shown.")
        data = b""
        while len(data) <= self.max_bytes and (part := answer.read1(_CHUNK)):
            data += part
        return data[: self.max_bytes].decode(errors="replace"), len(data) > self.max_bytes


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or _HEADERS_REFUSED.fullmatch(name):
            raise Refused(f"The header {name[:64]!r} cannot be sent. Leave it out.")
        if re.search(r"[^\x20-\x7e]", value) or len(value) > 2000:
            raise Refused(f"The value of the header {name} holds characters that cannot be sent.")


@contextlib.contextmanager
def _connection(
    scheme: str, host: str, port: int, address: str, tls: ssl.SSLContext | None, deadline: float
) -> Iterator[http.client.HTTPConnection]:
    """Connect to `address`, for the name `host`; the connection is cut at `deadline`, even if data still
    arrives slowly.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection = http.client.HTTPConnection(host, port, timeout=left)
    stream = socket.create_connection((address, port), timeout=left)
    cut = threading.Timer(left, lambda: _shut(stream))
    cut.daemon = True
    cut.start()
    try:
        if scheme == "https":
            stream = (tls or ssl.create_default_context()).wrap_socket(stream, server_hostname=host)
        connection.sock = stream
        yield connection
    finally:
        cut.cancel()
        connection.close()
        stream.close()


def _shut(stream: socket.socket) -> None:
    with contextlib.suppress(OSError):
        stream.shutdown(socket.SHUT_RDWR)
