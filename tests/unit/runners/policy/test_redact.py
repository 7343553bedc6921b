import json

import pytest

from runners.policy.redact import GONE, Redactor, redactor
from tests.support.growth import assert_linear

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"
TOKENS = [
    "ghs_" + "a1B2" * 9,
    "ghs_1234_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2lnbmF0dXJl",
    "github_pat_" + "x" * 60,
    "glpat-" + "y" * 20,
    "AKIAIOSFODNN7EXAMPLE",
    "sk-ant-api03-" + "z" * 40,
    "xoxb-1234567890-abcdefghijkl",
    "npm_" + "q" * 36,
    KEY,
]


@pytest.mark.parametrize("token", TOKENS)
def test_what_looks_like_a_secret_goes(token: str) -> None:
    assert Redactor().text(f"a = '{token}' # b") == f"a = '{GONE}' # b"
    assert token not in Redactor().audit(json.dumps({"content": f"x{chr(10)}{token}"}))


@pytest.mark.parametrize(
    "text",
    [
        "ghs_short",
        "my_ghs_variable = 1",
        "sk-learn is a library",
        "AKIA",
        "npm_config_registry=x",
        "postgres://user:password@localhost/db",
        "password = input()",
    ],
)
def test_ordinary_text_stays_as_a_model_must_edit_it(text: str) -> None:
    assert Redactor().text(text) == text


def test_known_values_go_wherever_they_stand() -> None:
    known = redactor(["hunter2-hunter2", "hunter2-hunter2-long", "", None, "abc"])
    assert known.text("xhunter2-hunter2-longx abc") == f"x{GONE}x abc"
    assert known.known("hunter2-hunter2") == GONE


def test_an_audit_entry_has_no_password() -> None:
    take = Redactor().audit
    assert take("curl -H 'Authorization: Bearer abc.def' x") == f"curl -H 'Authorization: {GONE}' x"
    assert take("postgres://user:pw@host/db") == f"postgres://user:{GONE}@host/db"
    assert take("API_KEY=abc ./run") == f"API_KEY={GONE} ./run"
    given = {"url": "redis://:pw@h", "headers": {"Authorization": "Basic eA=="}, "n": 1, "list": ["token"]}
    assert json.loads(take(json.dumps(given))) == {
        "url": f"redis://:{GONE}@h",
        "headers": {"Authorization": GONE},
        "n": 1,
        "list": ["token"],
    }


def test_it_takes_linear_time() -> None:
    noise = "-----BEGIN PRIVATE KEY-----" * 4000 + "a://" * 10_000 + "password" * 10_000
    assert Redactor().audit(noise) is not None


@pytest.mark.parametrize(
    "part",
    [
        "-----BEGIN RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY----------END RSA PRIVATE KEY-----",
        "-",
        "a",
        "password='",
        "http://a:",
        "ghp_",
        "secret",
    ],
)
def test_a_long_line_takes_linear_time(part: str) -> None:
    assert_linear(lambda size: (part * size)[:size], Redactor().audit)


def test_private_keys_that_stand_together() -> None:
    other = KEY.replace("RSA", "EC")
    assert Redactor().text(f"a {KEY} b {other} c") == f"a {GONE} b {GONE} c"
    begin = KEY.split("\n")[0]
    assert Redactor().text(f"{begin} {KEY}") == GONE  # nothing of a key is left, however it begins
    far = f"{begin}{'x' * 30_000}"
    assert Redactor().text(f"{far}{KEY}") == f"{far}{GONE}"
    assert Redactor().text(f"{begin} {other}") == f"{begin} {GONE}"
