"""Read the operator's limits file, named by ``SCENARIST_LIMITS_FILE``, and the secrets that it names."""

import os
from pathlib import Path

from gherkin.errors import ScenaristError
from gherkin.yamlfile import Source, read_yaml
from runners.contract.operator_limits import OperatorLimits


class LimitsInvalid(ScenaristError):
    """The operator's limits file cannot be used."""

    code = "SCN-7009"
    next_step = "Correct the file that SCENARIST_LIMITS_FILE names; `docs/policy.md` lists its keys."


def load_limits(path: Path | None) -> OperatorLimits:
    """Read the limits file; without a `path`, return the defaults. Raises `LimitsInvalid`."""
    if path is None:
        return OperatorLimits()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LimitsInvalid(f"{path} cannot be read: {error}.") from None
    return read_yaml(text, path.name, OperatorLimits, LimitsInvalid)


def database_urls(limits: OperatorLimits) -> dict[str, str]:
    """Return the operator's databases: name -> connection URL. Raises `LimitsInvalid` if a URL is not set."""
    return {
        name: secret(f"databases.{name}", source, LimitsInvalid) for name, source in limits.databases.items()
    }


def secret(entry: str, source: Source, invalid: type[ScenaristError]) -> str:
    """Return the secret at `source`. Raises `invalid`, which names the `entry` of the operator's file."""
    if source.env:
        found = os.environ.get(source.env, "")
    else:
        try:
            found = (source.file or Path()).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise invalid(f"{entry}: {source.file} cannot be read: {error}.") from None
    if not found:
        raise invalid(f"{entry}: {source.env or source.file} is empty or not set.")
    return found
