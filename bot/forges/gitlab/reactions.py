"""Award emoji, labels, threads that are done and drafts that are ready, on GitLab."""

from typing import Any

from bot.forges.forge import ForgeDenied, ForgeMissing, Label, Repo, TargetKind
from bot.forges.gitlab import payloads
from bot.forges.gitlab.api import GitLabApi, discussion
from bot.forges.gitlab.client import GitlabError, forge_errors, said


class Reactions(GitLabApi):
    """The part of the adapter that shows the result of a comment: reactions, labels, resolved threads."""

    def resolve_thread(self, repo: Repo, pull: int, thread: int) -> bool:
        try:
            with forge_errors():
                found = discussion(self._subject(repo, pull, "pull"), thread)
                if found is None or not found.attributes["notes"][0].get("resolvable", True):
                    return False
                found.resolved = True
                found.save()
        except (ForgeDenied, ForgeMissing):
            return False
        return True

    def react(
        self, repo: Repo, number: int, comment: int | None, *, on: TargetKind, in_thread: bool = False
    ) -> None:
        subject = self._subject(repo, number, on)
        target = subject if comment is None else subject.notes.get(comment, lazy=True)
        with forge_errors():
            try:
                target.awardemojis.create({"name": "eyes"})
            except GitlabError as error:
                # One that is there already is answered with 404: https://docs.gitlab.com/api/emoji_reactions/
                if "already been taken" not in said(error):
                    raise

    def put_label(self, repo: Repo, number: int, label: Label, *, on: TargetKind) -> None:
        project = self._project(repo)
        with forge_errors():
            if all(each.name != label.name for each in project.labels.list(search=label.name, get_all=True)):
                data = {"name": label.name, "color": f"#{label.color}", "description": label.description}
                try:
                    project.labels.create(data)
                except GitlabError as error:
                    # Somebody else has made it in the meantime.
                    if error.response_code != 409:
                        raise
            self._update(repo, number, on, {"add_labels": label.name})

    def drop_label(self, repo: Repo, number: int, label: str, *, on: TargetKind) -> None:
        with forge_errors():
            self._update(repo, number, on, {"remove_labels": label})

    def _update(self, repo: Repo, number: int, on: TargetKind, data: dict[str, Any]) -> None:
        project = self._project(repo)
        (project.issues if on == "issue" else project.mergerequests).update(number, data)

    def set_ready(self, repo: Repo, number: int) -> None:
        with forge_errors():
            requests = self._project(repo).mergerequests
            title = str(requests.get(number).title)
            if title.startswith(payloads.DRAFT):
                requests.update(number, {"title": title.removeprefix(payloads.DRAFT)})
