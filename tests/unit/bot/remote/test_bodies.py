"""Bodies of launches: what is large waits on the disk, one is in memory at a time, and all are bounded."""

import asyncio
import io
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request

from bot.remote import bodies
from bot.remote.bodies import Bodies, BodyUnreadable, TooManyBodies, artifacts_of, body_of, message_line
from bot.storage.run_log import ArtifactTooLarge

PART = 100_000


def sent(size: int) -> Request:
    """A request with a body of `size` bytes. Each part is made when it is asked for."""
    left = [size]

    async def receive() -> dict[str, Any]:
        part = min(PART, left[0])
        left[0] -= part
        return {"type": "http.request", "body": b"x" * part, "more_body": left[0] > 0}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


@pytest.fixture
def memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_large_bodies_wait_on_the_disk_and_one_is_given_at_a_time(memory: None) -> None:
    size, count = 40 * PART, 8
    given, most, lengths = 0, 0, []

    async def one(found: Bodies) -> None:
        nonlocal given, most
        async with found.received(sent(size)) as body:
            given += 1
            most = max(most, given)
            await asyncio.sleep(0)
            lengths.append(sum(len(part) for part in iter(lambda: body.read(PART), b"")))
            given -= 1

    async def all_of_them() -> None:
        found = Bodies()
        await asyncio.gather(*(one(found) for _ in range(count)))

    asyncio.run(all_of_them())
    assert (most, lengths) == (1, [size] * count)
    held = tracemalloc.get_traced_memory()[1]
    assert held < count * (bodies.IN_MEMORY + 2 * PART) + size, f"{held:,} of {count * size:,} bytes"


def test_small_bodies_do_not_wait_for_each_other() -> None:
    async def both() -> None:
        found = Bodies()
        async with found.received(sent(10)) as first, found.received(sent(10)) as second:
            assert first.read() == second.read() == b"x" * 10

    asyncio.run(both())


def test_a_body_at_the_limit_is_taken_and_one_above_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY", 2 * PART)

    async def length(size: int) -> int:
        async with Bodies().received(sent(size)) as body:
            return len(body.read())

    assert asyncio.run(length(2 * PART)) == 2 * PART
    with pytest.raises(ArtifactTooLarge):
        asyncio.run(length(2 * PART + 1))


def test_all_bodies_together_have_a_limit_and_what_has_gone_counts_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bodies, "MOST_ON_DISK", 3 * PART)

    async def several() -> None:
        found = Bodies()
        async with found.received(sent(2 * PART)):
            with pytest.raises(TooManyBodies):
                async with found.received(sent(2 * PART)):
                    pass
        async with found.received(sent(2 * PART)) as body:
            assert len(body.read()) == 2 * PART

    asyncio.run(several())


def test_a_message_and_its_artifacts_are_read_as_they_were_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = {"work": b"\n\x00\xff", "empty": b"", "log": b"{}"}
    sizes = {name: len(content) for name, content in blobs.items()}
    body = io.BytesIO(body_of('{"a": 1}', blobs))
    assert message_line(body) == b'{"a": 1}\n'
    assert artifacts_of(body, sizes) == blobs
    for wrong in ({**sizes, "log": 3}, {**sizes, "log": 1}, {}):
        body.seek(0)
        message_line(body)
        with pytest.raises(BodyUnreadable):
            artifacts_of(body, wrong)
    monkeypatch.setattr(bodies, "MAX_ARTIFACT_BYTES", 2)
    body.seek(0)
    message_line(body)
    with pytest.raises(ArtifactTooLarge, match="work has 3 bytes"):
        artifacts_of(body, sizes)
