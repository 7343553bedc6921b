"""Convert the URLs of database, broker and GitHub from what operators write to what libraries read."""

from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import make_url

_POSTGRES = ("postgres", "postgresql", "postgresql+psycopg")
_BROKERS = ("redis", "rediss", "redis+socket", "unix")


def database_url(url: str) -> str:
    """Return the SQLAlchemy URL for a database URL; an empty text stays empty.

    ``postgres://`` and ``postgresql://`` mean the psycopg driver. Raises `ValueError`, which says what to
    write.
    """
    if not url:
        return url
    example = "write postgresql://USER:PASSWORD@HOST/NAME, or leave it empty for SQLite"
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError:
        raise ValueError(f"this is not a database URL: {example}") from None
    if parsed.drivername in _POSTGRES:
        return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    if parsed.drivername.split("+")[0] == "sqlite":
        return url
    raise ValueError(f"{parsed.drivername} is not supported: {example}")


def broker_url(url: str) -> str:
    """Return Celery's URL for the URL of a Redis. Raises `ValueError`, which says what to write.

    A ``rediss://`` URL without options checks the server's certificate. ``unix://`` means the same as
    ``redis+socket://``.
    """
    parsed = urlsplit(url)
    if parsed.scheme not in _BROKERS:
        said = f"{parsed.scheme} is not Redis" if parsed.scheme else "this is not a URL"
        raise ValueError(f"{said}: write redis://HOST:6379/0, rediss://HOST:6379/0 or redis+socket:///PATH")
    if parsed.scheme == "unix":
        return f"redis+socket{url.removeprefix('unix')}"
    if parsed.scheme == "rediss" and "ssl_cert_reqs" not in parse_qs(parsed.query):
        return f"{url}{'&' if parsed.query else '?'}ssl_cert_reqs=CERT_REQUIRED"
    return url


def redis_url(url: str) -> str:
    """Return the same URL for the redis library, which names sockets and certificate options differently."""
    if url.startswith("redis+socket:"):
        return f"unix:{url.removeprefix('redis+socket:')}"
    return url.replace("ssl_cert_reqs=CERT_", "ssl_cert_reqs=").replace("=REQUIRED", "=required")


def github_web_url(api_url: str) -> str:
    """Return the web address of GitHub, from which repositories are cloned, for its API address."""
    if api_url.rstrip("/") == "https://api.github.com":
        return "https://github.com"
    return api_url.rstrip("/").removesuffix("/api/v3")
