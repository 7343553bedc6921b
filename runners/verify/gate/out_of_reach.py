"""Find tests that fail on both sides because they need what no sandbox has.

This is a service on another host, a submodule, or a file of Git LFS.
"""

import re
from collections.abc import Sequence

from runners.verify.suites.run import SuiteRun

_NO_ANSWER = re.compile(
    r"could not translate host name|name or service not known|name resolution|getaddrinfo failed|"
    r"connection refused|network is unreachable|no route to host|max retries exceeded|"
    r"cannot assign requested address|error -?\d+ connecting to|could not connect to server|can't connect to",
    re.I,
)
_HOST = re.compile(
    r"(?:host name|server at|host=|connecting to|https?://|on ['\"])['\" ]*([A-Za-z0-9][\w.-]*[A-Za-z0-9])"
)
_POINTER = "git-lfs.github.com/spec"
_NAMED = 3


def out_of_reach(name: str, before: SuiteRun, after: SuiteRun, modules: Sequence[str]) -> list[str]:
    """Return a sentence for each reason why tests of the suite `name` could not run on either side.

    `modules` are the paths of the base's submodules.
    """
    failing = {test for test, outcome in after.outcomes.items() if outcome in ("failed", "error")}
    both = [each for each in before.failures if each.test in failing]
    services = [each for each in both if _NO_ANSWER.search(each.message)]
    hosts = list(dict.fromkeys(host for each in services for host in _HOST.findall(each.message)))
    read = [each for each in both if any(f"{path}/" in each.message for path in modules)]
    pointers = [each for each in both if _POINTER in each.message]
    found = []
    if services:
        where = f" ({', '.join(hosts[:_NAMED])})" if hosts else ""
        found.append(
            f"{_tests(len(services), name)} could not run on either side: they reach for a service "
            f"that a sandbox does not have{where}. `services:` starts PostgreSQL and Redis there; one on "
            "another host is out of reach."
        )
    if read:
        found.append(
            f"{_tests(len(read), name)} could not run on either side: they read a submodule "
            f"({', '.join(modules[:_NAMED])}) whose files are not there."
        )
    if pointers:
        found.append(
            f"{_tests(len(pointers), name)} could not run on either side: they read files of Git LFS, "
            "of which the checkout has only pointers."
        )
    return found


def _tests(count: int, name: str) -> str:
    return f"{count} test{'' if count == 1 else 's'} of {name}"
