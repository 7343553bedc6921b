"""The logs of a verdict's commands, kept for people: bounded, and without secrets."""

import hashlib
import re

from runners.policy.plaintext import cut_middle, without_controls
from runners.policy.redact import Redactor
from runners.verify.suites.run import SuiteRun
from runners.verify.verdict import Evidence

# In characters: of one command's log, and of all logs of one verdict together.
MOST_OF_ONE = 100_000
MOST_OF_ALL = 2_000_000
# Colours of terminals: https://ecma-international.org/publications-and-standards/standards/ecma-48/
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class KeptLogs:
    """Makes the rows of the evidence, and keeps the log of each command.

    `texts` maps the SHA-256 of a log, as it is kept, to the log. A log is cut in the middle; when there is
    no more room for a log, its row has no hash.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        self._redactor = redactor or Redactor()
        self._room = MOST_OF_ALL
        self.texts: dict[str, str] = {}

    def evidence(self, commit: str, run: SuiteRun, purpose: str) -> Evidence:
        """Return the row for a run on `commit`; `purpose` says in words why it was made."""
        return Evidence(
            commit=commit,
            purpose=purpose,
            command=run.command,
            exit_code=run.exit_code,
            seconds=round(run.seconds, 2),
            log_sha256=self._keep(run.log),
            known=run.known,
        )

    def _keep(self, log: str) -> str:
        # Cut twice, so that no half of a secret is left where a very long log is cut.
        text = cut_middle(without_controls(_COLOURS.sub("", log)), 4 * MOST_OF_ONE)
        text = cut_middle(self._redactor.text(text), MOST_OF_ONE)
        digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
        if digest not in self.texts:
            if len(text) > self._room:
                return ""
            self._room -= len(text)
            self.texts[digest] = text
        return digest
