"""Pull requests, their reviews and review threads on GitHub."""

from githubkit.exception import RequestFailed
from githubkit.utils import UNSET

from bot.forges.forge import Pull, PullClosed, PullCommit, Repo, Review, ReviewComment
from bot.forges.github import payloads
from bot.forges.github.api import PAGE, GitHubApi, pages


class Pulls(GitHubApi):
    """The part of the adapter that reads and writes pull requests."""

    def pulls_by_head(self, repo: Repo, branch: str) -> list[Pull]:
        with self._api(repo, {"pull_requests": "read"}) as (github, owner, name):
            answer = github.rest.pulls.list(
                owner, name, state="all", head=f"{owner}:{branch}", per_page=PAGE
            ).json()
        found = [payloads.PullRequest.model_validate(item).neutral() for item in answer]
        # Servers that ignore the filter exist.
        return [pull for pull in found if pull.head == branch and pull.head_repo == self._tokens.name(repo)]

    def pull(self, repo: Repo, number: int) -> Pull:
        with self._api(repo, {"pull_requests": "read"}) as (github, owner, name):
            answer = github.rest.pulls.get(owner, name, number).json()
        return payloads.PullRequest.model_validate(answer).neutral()

    def pull_commits(self, repo: Repo, number: int) -> list[PullCommit]:
        with self._api(repo, {"pull_requests": "read"}) as (github, owner, name):
            found = pages(
                lambda page: github.rest.pulls.list_commits(
                    owner, name, number, per_page=PAGE, page=page
                ).json()
            )
        return [payloads.Commit.model_validate(item).neutral() for item in found]

    def ensure_pull(
        self, repo: Repo, *, head: str, base: str, title: str, body: str, draft: bool = False
    ) -> Pull:
        known = self._open_pull(repo, head)
        with self._api(repo, {"pull_requests": "write"}) as (github, owner, name):
            if known is None:

                def opened(as_draft: bool) -> int:
                    made = github.rest.pulls.create(
                        owner, name, title=title, body=body, head=head, base=base, draft=as_draft or UNSET
                    )
                    return int(made.json()["number"])

                def create() -> int:
                    try:
                        return opened(draft)
                    except RequestFailed as error:
                        # Private repositories have no drafts in some plans.
                        if not draft or "draft" not in error.response.text.lower():
                            raise
                        return opened(False)

                number = self._create(create, lambda: getattr(self._open_pull(repo, head), "number", None))
                return self.pull(repo, number)
            if (known.title, known.body) != (title, body):
                github.rest.pulls.update(owner, name, known.number, data={"title": title, "body": body})
        return self.pull(repo, known.number)

    def _open_pull(self, repo: Repo, head: str) -> Pull | None:
        known = self.pulls_by_head(repo, head)
        if not known:
            return None
        opened = next((pull for pull in known if pull.state == "open"), None)
        if opened is None:
            raise PullClosed(f"Pull request #{known[0].number} for {head} is {known[0].state}.")
        return opened

    def review(self, repo: Repo, pull: int, review: int) -> Review:
        with self._api(repo, {"pull_requests": "read"}) as (github, owner, name):
            answer = github.rest.pulls.get_review(owner, name, pull, review).json()
        return payloads.Review.model_validate(answer).neutral()

    def review_comments(self, repo: Repo, pull: int) -> list[ReviewComment]:
        with self._api(repo, {"pull_requests": "read"}) as (github, owner, name):
            found = pages(
                lambda page: github.rest.pulls.list_review_comments(
                    owner, name, pull, per_page=PAGE, page=page
                ).json()
            )
        return [payloads.ReviewComment.model_validate(item).neutral() for item in found]

    def reply_in_thread(self, repo: Repo, pull: int, thread: int, marker: str, body: str) -> int:
        def own() -> int | None:
            for comment in self.review_comments(repo, pull):
                if comment.thread == thread and marker in comment.body and self.is_ours(repo, comment.author):
                    return comment.id
            return None

        with self._api(repo, {"pull_requests": "write"}) as (github, owner, name):
            known = own()
            if known is not None:
                return known
            return self._create(
                lambda: github.rest.pulls.create_reply_for_review_comment(
                    owner, name, pull, thread, data={"body": body}
                ).json()["id"],
                own,
            )
