"""Ways to reach addresses that are not for a model, and to keep or fill the runner, through the http
tools."""

import ipaddress
import socket
from pathlib import Path

import pytest

from runners.tools.backends.http import host_of, is_public, resolve
from tests.support.tool_context import call
from tests.support.waiting import dawdle
from tests.support.web_server import access, page, serving, web_context

METADATA = [
    "169.254.169.254",
    "127.0.0.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:169.254.169.254",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:a9fe:a9fe::",
    "2001:0:a9fe:a9fe::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
]


@pytest.mark.parametrize("address", METADATA)
def test_attack_a_name_that_leads_inside(tmp_path: Path, address: str) -> None:
    asked: list[str] = []
    guarded = access({"evil.test": [address]}, guarded=True)
    got = call(web_context(tmp_path, guarded), "http_get", url="http://evil.test/latest/meta-data/")
    assert not got.ok and "not an address of the open internet" in got.text

    def note(found: object) -> bool:
        asked.append(str(found))
        return False

    # The control: the address does get as far as the guard.
    (tmp_path / "b").mkdir()
    open_ = access({"evil.test": [address]}, allowed=note)
    object.__setattr__(open_, "allowed", note)
    call(web_context(tmp_path / "b", open_), "http_get", url="http://evil.test/")
    assert asked == [str(ipaddress.ip_address(address.partition("%")[0]))]


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_the_open_internet_is_open(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "localhost",
    ],
)
def test_attack_an_address_written_otherwise(tmp_path: Path, host: str) -> None:
    with serving({"/": page("inside")}) as (port, seen):
        url = f"http://{host}:{port}/"
        got = call(web_context(tmp_path, access(guarded=True, resolver=resolve)), "http_get", url=url)
        assert not got.ok and "open internet" in got.text, got.text
        assert seen == []
        (tmp_path / "b").mkdir()
        control = call(web_context(tmp_path / "b", access(resolver=resolve)), "http_get", url=url)
        if host != "[::1]":  # the server listens on IPv4 alone
            assert control.text.endswith("inside"), control.text


def test_attack_a_name_with_one_address_inside(tmp_path: Path) -> None:
    """Several addresses, of which the checked one is harmless and the next one is tried when it does not
    answer."""
    both = access({"evil.test": ["8.8.8.8", "127.0.0.1"]}, guarded=True)
    assert (
        "127.0.0.1, which is not"
        in call(web_context(tmp_path, both), "http_get", url="http://evil.test/").text
    )


def test_attack_answer_differently_the_second_time(tmp_path: Path) -> None:
    """DNS rebinding: the first answer is checked, the second one would be connected to."""
    with serving({"/": page("inside")}) as (port, seen):
        answers = iter([["203.0.113.9"], ["127.0.0.1"], ["127.0.0.1"]])
        asked: list[str] = []

        def rebinding(host: str, port: int) -> list[str]:
            asked.append(host)
            return next(answers)

        def check(address: object) -> bool:
            return str(address) == "203.0.113.9"

        web = access(resolver=rebinding, seconds=1.0)
        object.__setattr__(web, "allowed", check)
        got = call(web_context(tmp_path, web), "http_get", url=f"http://evil.test:{port}/")
        assert not got.ok and asked == ["evil.test"] and seen == []
        # The control: who asks again gets the second answer, and is inside.
        with socket.create_connection((rebinding("evil.test", port)[0], port)) as stream:
            stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b"inside" in stream.recv(9999)


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
def test_attack_a_redirect_inside(tmp_path: Path, status: str) -> None:
    with serving({"/secret": page("inside")}) as (inside, reached):
        away = page("", status=status, Location=f"http://metadata.test:{inside}/secret")
        with serving({"/": away}) as (port, _):
            names = {"good.test": ["127.0.0.1"], "metadata.test": ["127.0.0.1"]}
            by_policy = web_context(tmp_path, access(names), "http.get:good.test")
            assert call(by_policy, "http_get", url=f"http://good.test:{port}/").denied
            (tmp_path / "b").mkdir()
            web = access({**names, "metadata.test": ["169.254.169.254"]})
            object.__setattr__(web, "allowed", lambda address: str(address) == "127.0.0.1")
            by_address = call(web_context(tmp_path / "b", web), "http_get", url=f"http://good.test:{port}/")
            assert "169.254.169.254, which is not" in by_address.text
            assert reached == []
            (tmp_path / "c").mkdir()
            control = call(
                web_context(tmp_path / "c", access(names)), "http_get", url=f"http://good.test:{port}/"
            )
            assert control.text.endswith("inside")


@pytest.mark.parametrize(
    "url",
    [
        "http://good.test@127.0.0.1/",
        "http://good.test:x@127.0.0.1/",
        "http://127.0.0.1\\@good.test/",
        "http://good.test\t.evil.test/",
        "http://good.test/\r\nX-Injected: 1",
        "http://good.test /",
        "file:///etc/passwd",
        "gopher://good.test/",
        "ftp://good.test/",
        "//good.test/",
        "http:///etc/passwd",
        "http://good.test:22/",
        "http://good.test:99999/",
        "http://good.test:-1/",
        "http://[::1/",
        "http://gооd.test/",
        "http://good。test/",
    ],
)
def test_attack_an_address_that_is_read_in_two_ways(tmp_path: Path, url: str) -> None:
    got = call(web_context(tmp_path, access()), "http_get", url=url)
    assert not got.ok and not got.denied and "could not be reached" not in got.text, got.text
    assert "no tool" not in got.text
    assert host_of("http://good.test:8080/") == "good.test"  # the control


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "metadata"),
        ("Authorization", "Bearer x"),
        ("Cookie", "a=b"),
        ("Metadata-Flavor", "Google"),
        ("X-aws-ec2-metadata-token", "x"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "0"),
        ("Connection", "upgrade"),
        ("Proxy-Authorization", "x"),
        ("Accept-Encoding", "gzip"),
        ("X-Good", "a\r\nX-Injected: 1"),
        ("X-Good\r\nX-Injected", "1"),
        ("X Good", "1"),
    ],
)
def test_attack_a_header(tmp_path: Path, name: str, value: str) -> None:
    with serving({"/": page("x")}) as (port, seen):
        ctx = web_context(tmp_path, access())
        got = call(ctx, "http_get", url=f"http://x.test:{port}/", headers={name: value})
        assert not got.ok and seen == []
        assert call(ctx, "http_get", url=f"http://x.test:{port}/", headers={"X-Good": "1"}).ok
        assert "X-Good: 1\r\n" in seen[0]


def drip(client: socket.socket, request: str, first: bytes = b"") -> None:
    client.sendall(first)
    for _ in range(600):
        dawdle(0.05)
        client.sendall(b"x")


def drip_body(client: socket.socket, request: str) -> None:
    drip(client, request, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")


def endless(client: socket.socket, request: str) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        client.sendall(b"x" * 65536)


def headers_without_end(client: socket.socket, request: str) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        client.sendall(b"X: " + b"y" * 60_000 + b"\r\n")


def nothing(client: socket.socket, request: str) -> None:
    client.recv(1)


@pytest.mark.parametrize("answer", [drip, drip_body, nothing])
def test_attack_answer_slowly(tmp_path: Path, answer: object) -> None:
    with serving({"/": answer, "/good": page("x")}) as (port, _):
        ctx = web_context(tmp_path, access(seconds=1.0))
        got = call(ctx, "http_get", url=f"http://x.test:{port}/")
        assert ("xxxx" if answer is drip_body else "did not answer within 1 s") in got.text
        assert call(ctx, "http_get", url=f"http://x.test:{port}/good").ok


@pytest.mark.parametrize(
    ("answer", "says"),
    [(endless, "the answer is cut here"), (headers_without_end, "could not be reached")],
)
def test_attack_answer_without_end(tmp_path: Path, answer: object, says: str) -> None:
    with serving({"/": answer}) as (port, _):
        got = call(web_context(tmp_path, access()), "http_get", url=f"http://x.test:{port}/")
        assert says in got.text
        assert len(got.text) < 17_000


def test_attack_go_around_by_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/": page("direct")}) as (port, _), serving({}) as (proxy, through):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy}")
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy}")
        got = call(web_context(tmp_path, access()), "http_get", url=f"http://x.test:{port}/")
        assert got.text.endswith("direct") and through == []
