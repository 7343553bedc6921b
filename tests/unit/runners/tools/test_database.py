"""SQL and Redis for real."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from runners.tools.base import ToolContext
from tests.support.databases import database_context, postgresql, redis_server, sqlite
from tests.support.tool_context import call

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture(params=["sqlite", "postgresql"])
def ctx(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ToolContext]:
    if request.param == "sqlite":
        yield database_context(tmp_path, {"books": sqlite(tmp_path)})
        return
    with postgresql(request.getfixturevalue("postgres_server")) as (url, _):
        yield database_context(tmp_path, {"books": url})


def sql(ctx: ToolContext, statement: str, tool: str = "sql_query") -> str:
    return call(ctx, tool, database="books", statement=statement).text


def test_reading(ctx: ToolContext) -> None:
    assert sql(ctx, "SELECT title, price FROM books ORDER BY id") == "title | price\nEmma | 8\nUlysses | 12.5"
    assert sql(
        ctx, "-- all\n (SELECT count(*) AS n FROM books)".replace("(", "", 1).replace(")", "", 0)[:-1]
    ).startswith("n\n2")
    assert (
        sql(ctx, "WITH b AS (SELECT * FROM books) SELECT NULL AS x, title FROM b WHERE id = 1")
        == "x | title\nNULL | Emma"
    )
    assert sql(ctx, "SELECT * FROM books WHERE id = 9") == "id | title | price"
    assert "The database says:" in sql(ctx, "SELECT * FROM nothing")
    assert (
        "books" in call(ctx, "sql_schema", database="books").text
        and "title" in call(ctx, "sql_schema", database="books").text.lower()
    )


def test_writing(ctx: ToolContext) -> None:
    assert sql(ctx, "UPDATE books SET price = 9 WHERE id = 1", "sql_execute") == "Done; 1 rows were changed."
    assert "9" in sql(ctx, "SELECT price FROM books WHERE id = 1")
    assert "The database says" in sql(ctx, "INSERT INTO books VALUES (1, 'x', 1)", "sql_execute")
    assert sql(ctx, "SELECT count(*) AS n FROM books") == "n\n2"


def test_answers_are_bounded(ctx: ToolContext) -> None:
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n"
    text = sql(ctx, many)
    assert text.count("\n") == 201 and "there are more rows" in text
    assert "[… 700 more]" in sql(ctx, f"SELECT '{'x' * 1000}' AS long")


def test_a_statement_that_takes_too_long(ctx: ToolContext, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    urls = ctx.resources[0].urls
    slow = database_context(tmp_path / "b", urls, seconds=0.3)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n"
    says = "took too long" if urls["books"].startswith("sqlite") else "timeout"
    assert says in sql(slow, endless)


def test_names_and_grants(ctx: ToolContext, tmp_path: Path) -> None:
    assert "There are: books" in call(ctx, "sql_query", database="other", statement="SELECT 1").text
    (tmp_path / "b").mkdir()
    urls = {
        **ctx.resources[0].urls,
        "gone": "postgresql://u:hunter2-x@127.0.0.1:1/x",
        "none": "sqlite:////no/such.db",
    }
    reader = database_context(
        tmp_path / "b", urls, "database.read:books", "database.read:gone", "database.read:none"
    )
    assert call(reader, "sql_query", database="books", statement="SELECT 1").ok
    assert call(reader, "sql_execute", database="books", statement="SELECT 1").denied
    gone = call(reader, "sql_query", database="gone", statement="SELECT 1")
    assert gone.text == "The database `gone` cannot be reached. Go on without it."
    assert "cannot be opened" in call(reader, "sql_query", database="none", statement="SELECT 1").text


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[tuple[ToolContext, "redis.Redis"]]:
    with redis_server(tmp_path) as url:
        client = redis.Redis.from_url(url)
        yield database_context(tmp_path, {"cache": url, "books": sqlite(tmp_path)}), client
        client.close()


def test_redis(cache: tuple[ToolContext, "redis.Redis"]) -> None:
    ctx, client = cache
    client.set("user:1", "Emma", ex=100)
    client.hset("hash", mapping={"a": "1", "b": "ä"})
    client.rpush("list", "x", "y")
    client.sadd("set", "m")
    client.zadd("zset", {"z": 1.5})
    client.xadd("stream", {"a": "1"})
    for key, shown in [
        ("user:1", "string, expires in 100 s\nEmma"),
        ("hash", "hash\na = 1\nb = ä"),
        ("list", "list\nx\ny"),
        ("set", "set\nm"),
        ("zset", "zset\nz (1.5)"),
    ]:
        assert call(ctx, "redis_get", database="cache", key=key).text == shown
    assert "type stream cannot" in call(ctx, "redis_get", database="cache", key="stream").text
    assert "There is no key" in call(ctx, "redis_get", database="cache", key="none").text
    assert call(ctx, "redis_scan", database="cache", pattern="user:*").text == "user:1"
    assert call(ctx, "redis_scan", database="cache", pattern="none*").text == "No key matches."
    assert call(ctx, "redis_set", database="cache", key="new", value="v", seconds=50).ok
    assert client.get("new") == b"v" and 0 < client.ttl("new") <= 50
    client.set("big", "x" * 2_000_000)
    assert "can be shown" in call(ctx, "redis_get", database="cache", key="big").text
    client.mset({f"many:{n}": "x" for n in range(500)})
    assert "more keys may match" in call(ctx, "redis_scan", database="cache", pattern="many:*").text
    assert "is no Redis" in call(ctx, "redis_get", database="books", key="x").text
    assert "is a redis database" in call(ctx, "sql_query", database="cache", statement="SELECT 1").text


def test_a_superuser_is_not_used(postgres_server: str, tmp_path: Path) -> None:
    with postgresql(postgres_server) as (_, superuser):
        ctx = database_context(tmp_path, {"books": superuser})
        for tool in ("sql_query", "sql_execute"):
            assert "is a superuser's" in sql(ctx, "SELECT 1", tool)
        with psycopg.connect(superuser) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)
