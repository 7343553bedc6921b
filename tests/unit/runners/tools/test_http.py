import datetime
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.tool_context import call
from tests.support.web_server import access, page, serving, web_context


def test_reading(tmp_path: Path) -> None:
    with serving({"/a": page('{"x": [1, "ä"]}', "application/json; charset=utf-8", ETag="1")}) as (
        port,
        seen,
    ):
        ctx = web_context(tmp_path, access())
        got = call(
            ctx, "http_get", url=f"http://api.test:{port}/a?q=1", headers={"Accept": "application/json"}
        )
        assert got.ok and got.text.startswith(
            f"200 OK from http://api.test:{port}/a?q=1\ncontent-type: application/json"
        )
        assert '"x": [\n  1,\n  "ä"\n ]' in got.text
        assert got.data["address"] == "127.0.0.1" and got.data["status"] == 200
        assert seen[0].startswith("GET /a?q=1 HTTP/1.1\r\n") and f"Host: api.test:{port}\r\n" in seen[0]
        assert "Accept: application/json" in seen[0] and "identity" in seen[0]
        head = call(ctx, "http_head", url=f"http://api.test:{port}/a")
        assert head.ok and "\n\n" not in head.text and seen[1].startswith("HEAD")
        missing = call(ctx, "http_get", url=f"http://api.test:{port}/none")
        assert not missing.ok and missing.text.startswith("404 Not Found")


def test_sending(tmp_path: Path) -> None:
    def echo(client: socket.socket, request: str) -> None:
        client.sendall(page(request))

    with serving({"/a": echo}) as (port, _):
        ctx = web_context(tmp_path, access())
        for method in ("post", "put", "patch"):
            text = call(ctx, f"http_{method}", url=f"http://x.test:{port}/a", body='{"a": "ä"}').text
            assert f"{method.upper()} /a" in text and "Content-Type: application/json" in text and "ä" in text
        assert "DELETE /a" in call(ctx, "http_delete", url=f"http://x.test:{port}/a").text


def test_redirects(tmp_path: Path) -> None:
    answers = {
        "/one": page("", status="302 Found", Location="/two"),
        "/two": page("", status="308 Permanent Redirect", Location="three"),
        "/three": page("there"),
        "/round": page("", status="301 Moved", Location="/round"),
    }
    with serving(answers) as (port, seen):
        ctx = web_context(tmp_path, access())
        assert call(ctx, "http_get", url=f"http://x.test:{port}/one").text.endswith("\n\nthere")
        assert "more than 5 redirects" in call(ctx, "http_get", url=f"http://x.test:{port}/round").text
        posted = call(ctx, "http_post", url=f"http://x.test:{port}/one", body="x")
        assert posted.text.startswith("302") and "location: /two" in posted.text
        assert len(seen) == 3 + 6 + 1


def test_without_a_grant_it_is_off(tmp_path: Path) -> None:
    with serving({"/": page("x")}) as (port, seen):
        ctx = web_context(tmp_path, access(), "http.get:a.test", "http.post:*.b.test")
        assert call(ctx, "http_get", url=f"http://A.test.:{port}/").ok
        assert call(ctx, "http_post", url=f"http://c.b.test:{port}/").ok
        for tool, host in (("http_post", "a.test"), ("http_get", "b.test"), ("http_get", "a.test.evil.test")):
            refused = call(ctx, tool, url=f"http://{host}:{port}/")
            assert refused.denied and "does not allow" in refused.text
        assert len(seen) == 2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (page("x", "image/png"), "The answer is image/png (1 bytes)"),
        (page("x", "application/octet-stream"), "which is not shown"),
        (page("x", Content_Encoding="gzip"), "is compressed"),
        (b"garbage\r\n\r\n", "BadStatusLine"),
        (b"", "RemoteDisconnected"),
    ],
)
def test_answers_that_are_not_shown(tmp_path: Path, answer: bytes, says: str) -> None:
    with serving({"/": answer}) as (port, _):
        assert says in call(web_context(tmp_path, access()), "http_get", url=f"http://x.test:{port}/").text


def test_a_long_answer_is_cut(tmp_path: Path) -> None:
    with serving({"/": page("x" * 50_000)}) as (port, _):
        got = call(web_context(tmp_path, access(max_bytes=1000)), "http_get", url=f"http://x.test:{port}/")
        assert got.text.endswith("x\n[… the answer is cut here …]") and len(got.text) < 1200


def test_nobody_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    got = call(web_context(tmp_path, access()), "http_get", url=f"http://x.test:{port}/")
    assert not got.ok and "x.test could not be reached: ConnectionRefusedError" in got.text


def certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


def test_the_certificate_is_that_of_the_name_and_not_of_the_address(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "api.test")
    offered = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    offered.load_cert_chain(pem)

    def answer(client: socket.socket, request: str) -> None:
        raise AssertionError

    with socket.create_server(("127.0.0.1", 0)) as server:
        import threading

        def loop() -> None:
            try:
                while True:
                    client = server.accept()[0]
                    try:
                        with offered.wrap_socket(client, server_side=True) as stream:
                            stream.recv(65536)
                            stream.sendall(page("safe"))
                    except OSError:
                        client.close()
            except OSError:
                return

        threading.Thread(target=loop, daemon=True).start()
        port = server.getsockname()[1]
        ctx = web_context(tmp_path, access(tls=ssl.create_default_context(cafile=str(pem))))
        assert call(ctx, "http_get", url=f"https://api.test:{port}/").text.endswith("safe")
        assert "CERTIFICATE_VERIFY_FAILED" in call(ctx, "http_get", url=f"https://other.test:{port}/").text
