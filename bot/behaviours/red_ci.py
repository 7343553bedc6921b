"""Decide which failed CI jobs are repaired, which are left alone and why, and what a model sees of their
logs.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from bot.forges.ci import CiJob
from bot.report.escape import code, inline
from gherkin.values import Frozen
from runners.contract.workorder import FailedJob
from runners.policy.plaintext import without_controls
from runners.policy.redact import Redactor

# The most jobs whose logs one repair gets, and the most characters of each.
MAX_JOBS = 3
MAX_LOG = 12_000
_TAIL = 7_000
_AROUND = 2
_MAX_LINE = 1000

_BASE = "it fails without this change too"
_FLAKY = "it is flaky: it also passed on the same commit"
_BROKEN = "it was cancelled, or the machine that ran it failed"
_OPTIONAL = "it is allowed to fail"
_IGNORED = "`ci.ignore` in `.scenarist.yml` names it"

# What runners say of trouble that has nothing to do with the change.
_INFRASTRUCTURE = re.compile(
    r"no space left on device|cannot allocate memory|the runner has received a shutdown signal|"
    r"lost communication with the server|the operation was canceled|job failed \(system failure\)|"
    r"could not resolve host|temporary failure in name resolution|tls handshake timeout|"
    r"cannot connect to the docker daemon|error response from daemon|toomanyrequests|"
    r"(?:502 bad gateway|503 service unavailable|504 gateway time-?out|429 too many requests)",
    re.IGNORECASE,
)
_ERROR = re.compile(r"\b(?:error|failed|failure|exception|traceback|assert\w*|fatal|panic)\b", re.IGNORECASE)
_TIME = re.compile(r"^\ufeff?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z ?")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SECTION = re.compile(r"section_(?:start|end):\d+:[^\r\n]*\r?")
_LAST_ERROR = re.compile(r"^##\[error\].*$", re.MULTILINE)


class Left(Frozen):
    """A failed job that is left alone, and why (Markdown)."""

    name: str
    why: str


class Result(Frozen):
    """The CI of one commit: jobs still `running`, failed jobs that a repair may fix, and those `left`
    alone.
    """

    running: tuple[str, ...] = ()
    failed: tuple[CiJob, ...] = ()
    left: tuple[Left, ...] = ()
    passed: int = 0


def result_of(head: Sequence[CiJob], base: Sequence[CiJob], ignore: Sequence[str] = ()) -> Result:
    """Sort the jobs on the bot's commit by their newest attempt; `base` are those on the target branch.

    `ignore` are globs of names. Attempts come oldest first.
    """
    newest = {job.name: job for job in head}
    on_base = {job.name: job for job in base}
    passed = {job.name for job in head if job.state == "passed"}
    left: list[Left] = []
    failed: list[CiJob] = []
    for name, job in newest.items():
        if job.state != "failed":
            continue
        before = on_base.get(name)
        if any(fnmatchcase(name, glob) for glob in ignore):
            left.append(Left(name=name, why=_IGNORED))
        elif job.optional:
            left.append(Left(name=name, why=_OPTIONAL))
        elif before is not None and before.state == "failed":
            left.append(Left(name=name, why=_BASE))
        elif name in passed:
            left.append(Left(name=name, why=_FLAKY))
        elif job.broken:
            left.append(Left(name=name, why=_BROKEN))
        else:
            failed.append(job)
    return Result(
        running=tuple(name for name, job in newest.items() if job.state == "running"),
        failed=tuple(failed),
        left=tuple(left),
        passed=sum(job.state == "passed" for job in newest.values()),
    )


def split_by_log(logs: Sequence[tuple[CiJob, str]]) -> tuple[list[FailedJob], list[Left]]:
    """Return the failed jobs with the part of their logs that a model gets, and those whose log shows that
    the machine failed."""
    failed: list[FailedJob] = []
    left: list[Left] = []
    for job, log in logs:
        text = clean(log or job.text)
        if _INFRASTRUCTURE.search(text[-_TAIL:]):
            left.append(Left(name=job.name, why=_BROKEN))
        else:
            failed.append(FailedJob(name=job.name[:200], log=shorten(text) or "(it has no log)"))
    return failed[:MAX_JOBS], left


def clean(log: str) -> str:
    """Return a log without timestamps, colours, section marks, secrets and what follows the last error that
    the runner itself reports."""
    text = _SECTION.sub("", _ANSI.sub("", log.replace("\r\n", "\n")))
    lines = [_TIME.sub("", line).rpartition("\r")[2].rstrip()[:_MAX_LINE] for line in text.split("\n")]
    text = "\n".join(lines)
    errors = list(_LAST_ERROR.finditer(text))
    if errors:
        text = text[: errors[-1].end()]
    return Redactor().audit(without_controls(text)).strip()


def shorten(text: str, limit: int = MAX_LOG) -> str:
    """Return at most about `limit` characters of a log: its end, and before it the lines about errors."""
    if len(text) <= limit:
        return text
    tail_at = text.rfind("\n", 0, len(text) - _TAIL) + 1 or len(text) - _TAIL
    lines = text[:tail_at].splitlines()
    wanted: set[int] = set()
    size = 0
    for number, line in enumerate(lines):
        if not _ERROR.search(line):
            continue
        near = set(range(max(0, number - _AROUND), min(len(lines), number + _AROUND + 1))) - wanted
        size += sum(len(lines[each]) + 1 for each in near)
        if size > limit - _TAIL:
            break
        wanted |= near
    shown: list[str] = []
    last = -1
    for number in sorted(wanted):
        if number != last + 1:
            shown.append("[…]")
        shown.append(lines[number])
        last = number
    return "\n".join([*shown, "[…]", text[tail_at:]])


def marker(pull: int, commit: str) -> str:
    """Return the hidden mark of the comment about the CI of one commit."""
    return f"<!-- scenarist:ci:{pull}:{commit[:12]} -->"


def comment(pull: int, commit: str, left: Sequence[Left], stopped: str = "") -> str:
    """Return the comment that names the jobs that are left alone; `stopped` is why others are too
    (Markdown)."""
    rows = [f"| {code(each.name, 100)} | {each.why} |" for each in left]
    table = ["", "| job | why it is left alone |", "|---|---|", *rows] if rows else []
    first = stopped or "The CI failed, and I will not change anything:"
    return "\n".join([marker(pull, commit), f"**Scenarist**: {first}", *table, "", f"<sub>{commit}</sub>"])


def stopped_text(names: Sequence[str], repairs: int) -> str:
    """Return the sentence for a CI that is still red after as many repairs as are allowed."""
    jobs = ", ".join(inline(each, 100) for each in names)
    return (
        f"The CI is still red ({jobs}) after {repairs} repair{'s' if repairs > 1 else ''} in a row. "
        "Look at it, then say in a review, or in a comment that begins with `/agent revise`, what to do."
    )
