"""Clients share the certificates that they trust."""

from bot.forges.github.http import github_client
from bot.tls import trusted


def test_certificates_are_loaded_once() -> None:
    assert trusted() is trusted()
    assert trusted().get_ca_certs(), "and there are some"
    for _ in range(2):
        assert github_client("https://api.github.com", None).config.ssl_verify is trusted()
