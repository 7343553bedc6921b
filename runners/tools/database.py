"""Tools for databases that the operator has named and the repository grants."""

from typing import Any

from pydantic import Field

from runners.tools.backends.databases import Databases, Rows, shown, table
from runners.tools.base import Arguments, Refused, ToolContext, ToolResult, tool

_MAX_BYTES = 1_000_000
_MAX_ITEMS = 200
# Rounds of a scan; in each the server searches a thousand keys.
_MAX_ROUNDS = 1000


class OnDatabase(Arguments):
    database: str = Field(description="Name of a database that the repository grants.")


class Sql(OnDatabase):
    statement: str = Field(
        min_length=1,
        max_length=20_000,
        description="One SQL statement, for example `SELECT id FROM users LIMIT 10`.",
    )


def _name(args: OnDatabase) -> str:
    return args.database


@tool("database.read", writes=False, resource=_name)
def sql_query(ctx: ToolContext, args: Sql) -> ToolResult:
    """Run one SQL statement in a read-only transaction. Returns a table of at most 200 rows."""
    return _told(ctx.resource(Databases).query(args.database, args.statement))


@tool("database.write", writes=True, resource=_name)
def sql_execute(ctx: ToolContext, args: Sql) -> ToolResult:
    """Run one SQL statement and commit it. Returns its rows (at most 200) or the number of changed rows."""
    return _told(ctx.resource(Databases).execute(args.database, args.statement))


@tool("database.read", writes=False, resource=_name)
def sql_schema(ctx: ToolContext, args: OnDatabase) -> ToolResult:
    """List the tables of an SQL database with their columns and types."""
    return _told(ctx.resource(Databases).schema(args.database))


class RedisKey(OnDatabase):
    key: str = Field(min_length=1, max_length=1000, description="The key.")


@tool("database.read", writes=False, resource=_name)
def redis_get(ctx: ToolContext, args: RedisKey) -> ToolResult:
    """Show the type and the value of one Redis key. Of a hash, list, set or sorted set it shows about 200
    items.
    """
    with ctx.resource(Databases).redis(args.database) as client:
        kind = shown(client.type(args.key))
        if kind == "none":
            raise Refused(f"There is no key `{args.key}`. Use redis_scan to find it.")
        size = client.memory_usage(args.key, samples=5) or 0
        if size > _MAX_BYTES:
            raise Refused(
                f"The value of `{args.key}` takes {size:,} bytes; at most {_MAX_BYTES:,} can be shown."
            )
        text = "\n".join(shown(item) for item in _items(client, kind, args.key))
        life = client.ttl(args.key)
        expires = f", expires in {life} s" if life >= 0 else ""
        return ToolResult(ok=True, text=f"{kind}{expires}\n{text}", data={"kind": kind})


def _items(client: Any, kind: str, key: str) -> list[Any]:
    match kind:
        case "string":
            return [client.get(key)]
        case "hash":
            return [name + b" = " + value for name, value in client.hscan(key, count=_MAX_ITEMS)[1].items()]
        case "list":
            return list(client.lrange(key, 0, _MAX_ITEMS - 1))
        case "set":
            return list(client.sscan(key, count=_MAX_ITEMS)[1])
        case "zset":
            pairs = client.zrange(key, 0, _MAX_ITEMS - 1, withscores=True)
            return [name + f" ({score:g})".encode() for name, score in pairs]
    raise Refused(f"Values of the type {kind} cannot be shown.")


class RedisScan(OnDatabase):
    pattern: str = Field(
        default="*", max_length=1000, description="Pattern of the keys, for example `user:*`."
    )


@tool("database.read", writes=False, resource=_name)
def redis_scan(ctx: ToolContext, args: RedisScan) -> ToolResult:
    """List the Redis keys that match a pattern, at most 200."""
    found: list[str] = []
    with ctx.resource(Databases).redis(args.database) as client:
        at, rounds = 0, 0
        while rounds == 0 or (at and rounds < _MAX_ROUNDS and len(found) < _MAX_ITEMS):
            at, keys = client.scan(at, match=args.pattern, count=1000)
            found += [shown(key) for key in keys]
            rounds += 1
        if at or len(found) > _MAX_ITEMS:
            found[_MAX_ITEMS:] = ["[… more keys may match. Use a narrower pattern …]"]
    return ToolResult(ok=True, text="\n".join(found) or "No key matches.", data={"count": len(found)})


class RedisSet(RedisKey):
    value: str = Field(max_length=100_000, description="The string to store.")
    seconds: int | None = Field(
        default=None, ge=1, description="Seconds until the key expires; leave out for never."
    )


@tool("database.write", writes=True, resource=_name)
def redis_set(ctx: ToolContext, args: RedisSet) -> ToolResult:
    """Set a Redis key to a string. An existing value is replaced."""
    with ctx.resource(Databases).redis(args.database) as client:
        client.set(args.key, args.value.encode(errors="replace"), ex=args.seconds)
    return ToolResult(ok=True, text=f"Stored `{args.key}`.")


def _told(rows: Rows) -> ToolResult:
    data = {"rows": len(rows.rows), "changed": rows.changed}
    if not rows.columns:
        return ToolResult(ok=True, text=f"Done; {max(rows.changed, 0)} rows were changed.", data=data)
    return ToolResult(ok=True, text=table(rows), data=data)
