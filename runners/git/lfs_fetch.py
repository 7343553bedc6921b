"""Fetches files of Git LFS from the repository's own server.

The protocol is Git LFS's batch API with its basic transfers:
https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
https://github.com/git-lfs/git-lfs/blob/main/docs/api/basic-transfers.md
git-lfs itself is not used: it would ask the server that the repository's `.lfsconfig` names, with the
bot's credential.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from runners.git.lfs import Pointer, keep, kept, pointers_of, wanted
from runners.git.workspaces import Mirror

log = logging.getLogger(__name__)

_MEDIA = "application/vnd.git-lfs+json"
_BATCH = 100  # The specification recommends no more in one request.
_SECONDS = 60.0
_PART = 1 << 20


def fetch_large_files(mirror: Mirror, commit: str, parent: str, header: str) -> None:
    """Fetch the files of Git LFS of `commit` from the server of the repository at `parent`.

    `header` (an ``Authorization: …`` line) is the repository's own credential. A repository on this machine
    (`parent` is a path) gives what it has itself. What cannot be fetched stays a pointer, and is named when
    the environment is made.
    """
    lacking = [each for each in wanted(pointers_of(mirror.path, commit)) if not kept(mirror.path, each)]
    if not lacking:
        return
    if urlsplit(parent).scheme not in ("http", "https"):
        take_large_files(mirror.path, lacking, Path(parent))
        return
    try:
        with httpx.Client(timeout=_SECONDS, follow_redirects=True) as client:
            for start in range(0, len(lacking), _BATCH):
                _fetch(client, mirror, lacking[start : start + _BATCH], parent, header)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, AttributeError) as error:
        # What the answer holds is up to the server: whatever is wrong with it, the pointers stay.
        log.info("files of Git LFS were not fetched from %s: %s", _endpoint(parent), type(error).__name__)


def take_large_files(into: Path, pointers: Sequence[Pointer], source: Path) -> None:
    """Copy the contents that the git directory `source` on this machine has to the git directory `into`."""
    for pointer in pointers:
        place = kept(source, pointer) or kept(source / ".git", pointer)
        if place is not None:
            with place.open("rb") as file:
                keep(into, pointer, iter(partial(file.read, _PART), b""))


def _endpoint(parent: str) -> str:
    url = parent.rstrip("/")
    return f"{url}{'' if url.endswith('.git') else '.git'}/info/lfs"


def _fetch(
    client: httpx.Client, mirror: Mirror, pointers: Sequence[Pointer], parent: str, header: str
) -> None:
    name, _, value = header.partition(":")
    credential = {name.strip(): value.strip()} if value else {}
    asked = {
        "operation": "download",
        "transfers": ["basic"],
        "objects": [{"oid": each.oid, "size": each.size} for each in pointers],
    }
    headers = {"Accept": _MEDIA, "Content-Type": _MEDIA, **credential}
    answer = client.post(
        f"{_endpoint(parent)}/objects/batch", json=asked, headers=headers, follow_redirects=False
    )
    answer.raise_for_status()
    by_oid = {each.oid: each for each in pointers}
    for each in answer.json()["objects"]:
        pointer, action = by_oid.get(each.get("oid")), (each.get("actions") or {}).get("download")
        if pointer is None or not action:
            log.info("the server has no file %s of Git LFS", each.get("oid"))
            continue
        _download(client, mirror, pointer, action, parent, credential)


def _download(
    client: httpx.Client,
    mirror: Mirror,
    pointer: Pointer,
    action: Mapping[str, Any],
    parent: str,
    credential: Mapping[str, str],
) -> None:
    """Download one file from where the server says that it is.

    The credential goes to the repository's own server alone: files often lie in a storage elsewhere, whose
    address holds a key of its own.
    """
    there, here = urlsplit(str(action["href"])), urlsplit(parent)
    if there.scheme != "https" and (there.scheme, there.hostname) != (here.scheme, here.hostname):
        log.info("the file %s of Git LFS was not fetched: its address is not safe", pointer.path)
        return
    given = {str(name): str(value) for name, value in (action.get("header") or {}).items()}
    own = credential if (there.scheme, there.netloc) == (here.scheme, here.netloc) else {}
    try:
        with client.stream("GET", str(action["href"]), headers={**own, **given}) as response:
            response.raise_for_status()
            if not keep(mirror.path, pointer, response.iter_bytes(_PART)):
                log.info("the file %s of Git LFS is not what its pointer says", pointer.path)
    except httpx.HTTPError as error:
        log.info("the file %s of Git LFS was not fetched: %s", pointer.path, type(error).__name__)
