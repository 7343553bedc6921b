"""Keeps the one status comment of a run true to its log, and asks people what the run asks."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from bot.forges.forge import Forge, ForgeDenied, ForgeMissing, ForgeUnavailable, Repo, TargetKind
from bot.log.events import Asked, Labelled, StatusPosted
from bot.log.state import RunState, fold
from bot.report.reporter import Reporter
from bot.report.state_labels import STATE_LABELS, label_of
from bot.runs.heartbeat import beating
from bot.storage.store import Store
from gherkin.errors import described
from runners.contract.job import FEATURE, PATCH

log = logging.getLogger(__name__)


_AGAIN_S = 5.0


class StatusPoster:
    """Edits status comments; several processes may be asked for one run at the same time.

    `hold_seconds` is how long a process that died keeps the others away. While a run stays in one phase, its
    comment is edited every `pace_seconds` at most: a forge counts edits, and allows few.
    """

    def __init__(
        self,
        store: Store,
        forge: Callable[[str], Forge],
        reporter: Reporter,
        hold_seconds: float = 15.0,
        pace_seconds: float = 10.0,
    ) -> None:
        self._pace_seconds = pace_seconds
        self._shown: dict[str, tuple[object, float]] = {}
        self._states: dict[str, RunState] = {}
        self._store = store
        self._forge = forge
        self._reporter = reporter
        self._hold_seconds = hold_seconds

    def post(self, run_id: str) -> None:
        """Bring the comment up to the log's present end; what is added meanwhile is posted too.

        Nothing is done where that was done a moment ago; the reaper asks again.
        """
        if self._is_fresh(run_id):
            return
        self._note_edit(run_id)
        while (fence := self._store.reports.begin(run_id, self._hold_seconds)) is not None:
            state = self._state(run_id)
            posted: list[StatusPosted | Asked | Labelled] = []
            try:
                with self._report_lease(run_id, fence):
                    self._post(run_id, state, posted)
            except ForgeUnavailable as error:
                log.warning("run %s: the status could not be posted: %s", run_id, error)
                # Until then nobody tries; after it the reaper asks again.
                self._store.reports.extend(run_id, fence, max(_AGAIN_S, error.wait_s))
                return
            except (ForgeDenied, ForgeMissing) as error:
                log.warning("run %s: the status cannot be posted: %s", run_id, error)
            if not self._store.reports.end(run_id, fence, state.seq, posted):
                return
            if self._store.seq(run_id) == state.seq + len(posted) or self._is_fresh(run_id):
                return
            self._note_edit(run_id)

    def _state(self, run_id: str) -> RunState:
        """Return the run's state; only the events since the last time are read."""
        known = self._states.get(run_id, RunState())
        state = fold(self._store.entries(run_id, after=known.seq), known)
        if state.status == "active":
            self._states[run_id] = state
        else:
            self._states.pop(run_id, None)
        return state

    def _is_fresh(self, run_id: str) -> bool:
        """Return whether the comment of an active run was edited a moment ago, in its present phase.

        The first words of a run, before any phase has begun, do not count: they are replaced at once.
        """
        now = self._store.status(run_id)
        if self._store.seq(run_id) <= 1 or now is None or now[0] != "active":
            return False
        phase, at = self._shown.get(run_id, (None, 0.0))
        return phase == now and time.monotonic() - at < self._pace_seconds

    def _note_edit(self, run_id: str) -> None:
        """Remember that the comment of an active run is being edited now; an ended run is forgotten."""
        now = self._store.status(run_id)
        if now is None or now[0] != "active":
            self._shown.pop(run_id, None)
        elif self._store.seq(run_id) > 1:
            self._shown[run_id] = now, time.monotonic()

    def _report_lease(self, run_id: str, fence: int) -> AbstractContextManager[None]:
        """Keep the right to post while the forge takes its time: a second process would make a second
        comment."""

        def beat() -> bool:
            try:
                return self._store.reports.extend(run_id, fence, self._hold_seconds)
            except Exception as error:
                log.warning("run %s: the right to post was not extended: %s", run_id, described(error))
                return True

        return beating(beat, self._hold_seconds / 4, f"report-{run_id}")

    @staticmethod
    def _label(forge: Forge, repo: Repo, number: int, on: TargetKind, label: str, before: str | None) -> None:
        """Replace the label `before` by the one for the run's state (None: of any earlier run's).

        A forge that does not let the bot do so goes without.
        """
        gone = [each for each in STATE_LABELS if each != label] if before is None else [before]
        try:
            for each in filter(None, gone):
                forge.drop_label(repo, number, each, on=on)
            if label:
                forge.put_label(repo, number, STATE_LABELS[label], on=on)
        except (ForgeDenied, ForgeMissing) as error:
            log.info("the state could not be shown as a label: %s", error)

    def _post(self, run_id: str, state: RunState, posted: list[StatusPosted | Asked | Labelled]) -> None:
        """Create or edit the status comment, and ask what the run asks.

        `posted` gets the comments that are new.
        """
        requested = state.requested
        if requested is None or requested.order.kind == "onboard":
            return  # there is no issue to comment on
        if requested.order.kind == "revise" and state.status_comment is None and not state.times:
            # The reaction shows that a review was heard. If another review follows at once, its run takes
            # this one's work over, and two comments would be noise.
            return
        forge = self._forge(requested.forge)
        repo = Repo(full_name=requested.repo, installation=requested.installation)
        number = requested.order.pull or requested.order.number
        on: TargetKind = "pull" if requested.order.pull else "issue"
        feature, patch = (
            (self._store.artifact(run_id, name) or b"").decode(errors="replace") for name in (FEATURE, PATCH)
        )
        reporter = self._reporter.on(forge.capabilities)
        comment = forge.upsert_comment(
            repo,
            number,
            reporter.status_marker(run_id),
            reporter.status_text(run_id, state, feature, patch),
            state.status_comment,
            on=on,
        )
        if comment != state.status_comment:
            posted.append(StatusPosted(comment=comment))
        label = label_of(state)
        if state.prepared is not None and state.settings.labels.state and label != state.label:
            self._label(forge, repo, number, on, label, state.label)
            posted.append(Labelled(label=label))
        question = reporter.question(run_id, state, feature)
        if question is not None and question.key not in state.asked:
            made = forge.upsert_comment(repo, number, question.marker, question.text, None, on=on)
            posted.append(Asked(comment=made, key=question.key))
