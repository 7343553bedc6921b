"""The certificates that this process trusts."""

import ssl
from functools import cache


@cache
def trusted() -> ssl.SSLContext:
    """Return httpx's default context, made once: a client without it loads all certificates anew (20 ms)."""
    import httpx  # not for commands that ask nobody

    return httpx.create_ssl_context()
