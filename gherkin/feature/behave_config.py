"""Read behave's settings from a repository's configuration files.

https://behave.readthedocs.io/en/latest/behave/#configuration-files
"""

import configparser
import tomllib
from collections.abc import Mapping

from behave.i18n import languages

CONFIG_FILES = ("behave.ini", ".behaverc", "setup.cfg", "tox.ini", "pyproject.toml")


def configured_language(files: Mapping[str, str]) -> str | None:
    """Return the code of the language in which behave reads features that name none; None means English.

    `files` are the texts of the existing files of `CONFIG_FILES` by name.
    """
    for name in CONFIG_FILES:
        found = _lang(name, files[name]) if name in files else None
        if found in languages and found != "en":
            return found
    return None


def _lang(name: str, text: str) -> str | None:
    if name.endswith(".toml"):
        try:
            found = tomllib.loads(text).get("tool", {}).get("behave", {}).get("lang")
        except (tomllib.TOMLDecodeError, AttributeError):
            return None
        return found if isinstance(found, str) else None
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return parser.get("behave", "lang", fallback=None)
