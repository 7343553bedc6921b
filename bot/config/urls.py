"""URLs as operators write them, and as the libraries read them: of the database, the broker, GitHub."""

from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import make_url

_POSTGRES = ("postgres", "postgresql", "postgresql+psycopg")
_BROKERS = ("redis", "rediss", "redis+socket", "unix")


def database_url(url: str) -> str:
    """The SQLAlchemy URL for a database URL; empty stays empty. Raises `ValueError` that says what to write.

    ``postgres://`` and ``postgresql://`` mean the psycopg driver.
    """
    if not url:
        return url
    example = "write postgresql://USER:PASSWORD@HOST/NAME, or leave it empty for SQLite"
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError:
        raise ValueError(f"this is no database URL: {example}") from None
    if parsed.drivername in _POSTGRES:
        return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    if parsed.drivername.split("+")[0] == "sqlite":
        return url
    raise ValueError(f"{parsed.drivername} is not supported: {example}")


def broker_url(url: str) -> str:
    """Celery's URL of a Redis. Raises `ValueError` that says what to write.

    A ``rediss://`` URL without options checks the server's certificate. ``unix://`` is another word for
    ``redis+socket://``.
    """
    parsed = urlsplit(url)
    if parsed.scheme not in _BROKERS:
        said = f"{parsed.scheme} is no Redis" if parsed.scheme else "this is no URL"
        raise ValueError(f"{said}: write redis://HOST:6379/0, rediss://HOST:6379/0 or redis+socket:///PATH")
    if parsed.scheme == "unix":
        return f"redis+socket{url.removeprefix('unix')}"
    if parsed.scheme == "rediss" and "ssl_cert_reqs" not in parse_qs(parsed.query):
        return f"{url}{'&' if parsed.query else '?'}ssl_cert_reqs=CERT_REQUIRED"
    return url


def redis_url(url: str) -> str:
    """The same for the client library, which calls a socket ``unix://`` and names certificates otherwise."""
    if url.startswith("redis+socket:"):
        return f"unix:{url.removeprefix('redis+socket:')}"
    return url.replace("ssl_cert_reqs=CERT_", "ssl_cert_reqs=").replace("=REQUIRED", "=required")


def github_web_url(api_url: str) -> str:
    """Where people reach GitHub and repositories are cloned from, given the address of its API."""
    if api_url.rstrip("/") == "https://api.github.com":
        return "https://github.com"
    return api_url.rstrip("/").removesuffix("/api/v3")
