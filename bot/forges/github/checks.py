"""Check runs on GitHub: the bot's own."""

from typing import Any

from githubkit import GitHub

from bot.forges.forge import Check, Repo
from bot.forges.github import payloads
from bot.forges.github.api import PAGE, GitHubApi

_ANNOTATIONS = 50  # GitHub's limit a request


class Checks(GitHubApi):
    """The part of the adapter that writes check runs."""

    def upsert_check(self, repo: Repo, check: Check) -> int:
        done = check.state in ("success", "failure", "neutral", "cancelled")
        state = {"status": "completed", "conclusion": check.state} if done else {"status": check.state}
        notes = [_annotation(note) for note in check.annotations]
        output = {"title": check.title, "summary": check.summary}
        fields: dict[str, Any] = {"external_id": check.external_id, **state}
        if check.details_url:
            fields["details_url"] = check.details_url
        first: Any = {
            "name": check.name,
            "head_sha": check.head_sha,
            **fields,
            "output": {**output, "annotations": notes[:_ANNOTATIONS]},
        }
        with self._api(repo, {"checks": "write"}) as (github, owner, name):

            def update(data: Any) -> None:
                github.rest.checks.update(owner, name, number, data=data)

            known = self._own_check(github, owner, name, check)
            if known is not None:
                number = known
                # An update adds annotations to those that are there: only the text is brought up to date.
                update({**fields, "output": output})
                return number
            number = self._create(
                lambda: github.rest.checks.create(owner, name, data=first).json()["id"],
                lambda: self._own_check(github, owner, name, check),
            )
            for start in range(_ANNOTATIONS, len(notes), _ANNOTATIONS):
                update({"output": {**output, "annotations": notes[start : start + _ANNOTATIONS]}})
        return number

    @staticmethod
    def _own_check(github: GitHub[Any], owner: str, name: str, check: Check) -> int | None:
        answer = github.rest.checks.list_for_ref(
            owner, name, check.head_sha, check_name=check.name, per_page=PAGE
        ).json()
        for item in answer["check_runs"]:
            found = payloads.CheckRun.model_validate(item)
            if found.name == check.name and found.external_id == check.external_id:
                return found.id
        return None


def _annotation(note: Any) -> dict[str, Any]:
    return {
        "path": note.path,
        "start_line": note.line,
        "end_line": note.line,
        "annotation_level": note.level,
        "title": note.title,
        "message": note.message,
    }
