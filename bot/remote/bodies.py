"""The bodies of launches' requests: one line of JSON, then the bytes of the artifacts that it names.

They are kept in temporary files until they are stored, so that the memory of the web app does not grow with
the number of launches that send at the same time.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from typing import BinaryIO, cast

from starlette.datastructures import UploadFile
from starlette.requests import Request

from bot.storage.run_log import MAX_ARTIFACT_BYTES, ArtifactTooLarge
from gherkin.errors import ScenaristError

# A smaller body stays in memory.
IN_MEMORY = 1_000_000
_LONGEST_LINE = 50_000_000
MAX_BODY = 2 * MAX_ARTIFACT_BYTES
# Of all bodies that are being received or stored.
MOST_ON_DISK = 3 * MAX_BODY


class BodyUnreadable(ScenaristError):
    """A launch sent something that is not a message, or not all of it."""

    code = "SCN-1214"
    next_step = "Look at the job that sent it: the same version of Scenarist never does this."


class TooManyBodies(Exception):
    """Other launches send so much at this moment that the disk would be filled; it can be sent again."""


class Bodies:
    """Receives bodies. All methods belong to one event loop."""

    def __init__(self) -> None:
        self._bytes = 0
        self._large = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def received(self, request: Request) -> AsyncIterator[BinaryIO]:
        """Within the context give the body of a request as a file that is read from its start.

        Only one context at a time has a body of more than `IN_MEMORY` bytes; the others wait for it. Raises
        `ArtifactTooLarge` when the body has more than `MAX_BODY` bytes, and `TooManyBodies`.
        """
        size = 0
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            spool = UploadFile(cast(BinaryIO, file))  # writes to the disk in a thread
            try:
                async for part in request.stream():
                    size += len(part)
                    self._bytes += len(part)
                    if size > MAX_BODY:
                        raise ArtifactTooLarge(f"The request has more than {MAX_BODY:,} bytes.")
                    if self._bytes > MOST_ON_DISK:
                        raise TooManyBodies
                    await spool.write(part)
                await spool.seek(0)
                async with self._large if size > IN_MEMORY else contextlib.nullcontext():
                    yield spool.file
            finally:
                self._bytes -= size


def message_line(body: BinaryIO) -> bytes:
    """Return the line of JSON at the start of a body. Raises `BodyUnreadable` if it is too long."""
    line = body.readline(_LONGEST_LINE)
    if len(line) == _LONGEST_LINE:
        raise BodyUnreadable(f"The message has more than {_LONGEST_LINE:,} bytes.")
    return line


def artifacts_of(body: BinaryIO, sizes: Mapping[str, int]) -> dict[str, bytes]:
    """Read the artifacts behind the line of JSON, which must be all that is left of the body.

    Raises `ArtifactTooLarge`, before one that is too large is read, and `BodyUnreadable`.
    """
    for name, size in sizes.items():
        if size > MAX_ARTIFACT_BYTES:
            raise ArtifactTooLarge(f"{name} has {size:,} bytes.")
    found = {name: body.read(size) for name, size in sizes.items()}
    if any(len(found[name]) != size for name, size in sizes.items()) or body.read(1):
        raise BodyUnreadable("The artifacts have other sizes than the message says.")
    return found


def body_of(line: str, artifacts: Mapping[str, bytes]) -> bytes:
    """Return the body of a message whose JSON is `line`, with its artifacts."""
    return b"".join([line.encode(), b"\n", *artifacts.values()])
