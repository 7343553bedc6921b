"""Merge requests and their discussions on GitLab."""

from typing import Any

from bot.forges.forge import ForgeMissing, Pull, PullClosed, PullCommit, Repo, Review, ReviewComment
from bot.forges.gitlab import payloads
from bot.forges.gitlab.api import GitLabApi, created, discussion
from bot.forges.gitlab.client import forge_errors


class MergeRequests(GitLabApi):
    """The part of the adapter that reads and writes merge requests."""

    def pulls_by_head(self, repo: Repo, branch: str) -> list[Pull]:
        with forge_errors():
            found = self._project(repo).mergerequests.list(
                source_branch=branch, state="all", order_by="created_at", sort="desc", get_all=True
            )
            own = [each.attributes for each in found]
        return [
            payloads.pull(each, repo)
            for each in own
            if each.get("source_project_id") == each.get("target_project_id")
        ]

    def pull(self, repo: Repo, number: int) -> Pull:
        with forge_errors():
            return payloads.pull(self._project(repo).mergerequests.get(number).attributes, repo)

    def pull_commits(self, repo: Repo, number: int) -> list[PullCommit]:
        with forge_errors():
            found = self._project(repo).mergerequests.get(number, lazy=True).commits()
            return [payloads.pull_commit(each.attributes) for each in found][::-1]

    def ensure_pull(
        self, repo: Repo, *, head: str, base: str, title: str, body: str, draft: bool = False
    ) -> Pull:
        def opened() -> int | None:
            return next(
                (each.number for each in self.pulls_by_head(repo, head) if each.state == "open"), None
            )

        known = self.pulls_by_head(repo, head)
        number = next((each.number for each in known if each.state == "open"), None)
        if known and number is None:
            raise PullClosed(f"Merge request !{known[0].number} for {head} is {known[0].state}.")
        with forge_errors():
            requests_ = self._project(repo).mergerequests
            if number is None:
                data = {
                    "source_branch": head,
                    "target_branch": base,
                    "title": payloads.titled(title, draft=draft),
                    "description": body,
                    "remove_source_branch": True,
                }
                number = created(lambda: int(requests_.create(data).get_id()), opened)
            else:
                present = requests_.get(number)
                was_draft = str(present.title).startswith(payloads.DRAFT)
                wanted = {"title": payloads.titled(title, draft=was_draft), "description": body}
                if (present.title, present.description) != (wanted["title"], body):
                    requests_.update(number, wanted)
        return self.pull(repo, number)

    def review(self, repo: Repo, pull: int, review: int) -> Review:
        raise ForgeMissing("GitLab groups no comments into a review.")

    def review_comments(self, repo: Repo, pull: int) -> list[ReviewComment]:
        with forge_errors():
            found = self._project(repo).mergerequests.get(pull, lazy=True).discussions.list(iterator=True)
            return [
                payloads.review_comment(note, each.attributes["notes"][0])
                for each in found
                for note in each.attributes["notes"]
                if not payloads.is_hidden(note) and not each.attributes.get("individual_note")
            ]

    def reply_in_thread(self, repo: Repo, pull: int, thread: int, marker: str, body: str) -> int:
        with forge_errors():
            request = self._project(repo).mergerequests.get(pull, lazy=True)

            def own(of: Any) -> int | None:
                return next(
                    (
                        int(note["id"])
                        for note in of.attributes["notes"]
                        if marker in note["body"] and self.is_ours(repo, payloads.account(note["author"]))
                    ),
                    None,
                )

            present = discussion(request, thread)
            if present is None:
                raise ForgeMissing(f"Merge request !{pull} has no thread that begins with note {thread}.")
            known = own(present)
            if known is not None:
                return known
            return created(
                lambda: int(present.notes.create({"body": body}).get_id()),
                lambda: own(discussion(request, thread)),
            )
