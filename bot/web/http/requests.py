"""Read requests: forms, and addresses within this app."""

from urllib.parse import parse_qs

from starlette.requests import Request

_MAX_FORM = 100_000


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a URL-encoded form of at most 100,000 bytes, the last value of each; otherwise
    nothing.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > _MAX_FORM:
            return {}
        parts.append(part)
    try:
        found = parse_qs(b"".join(parts).decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in found.items()}


def own_path(given: str) -> str:
    """Return `given` if it is the path of a page of this app, otherwise ``/``, so that nothing leads to
    another site.
    """
    plain = given.startswith("/") and not given.startswith(("//", "/\\")) and given.isprintable()
    return given if plain and "\\" not in given else "/"
