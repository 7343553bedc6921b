"""Reactions, labels, threads that are done and drafts that are ready, on GitHub.

Threads and drafts are GraphQL's alone: https://docs.github.com/en/graphql/reference/mutations
"""

from typing import Any

from githubkit import GitHub
from githubkit.exception import GraphQLFailed, RequestFailed

from bot.forges.forge import ForgeDenied, ForgeMissing, Label, Repo, TargetKind
from bot.forges.github import payloads
from bot.forges.github.api import GitHubApi

# https://docs.github.com/en/graphql/reference/objects#pullrequestreviewthread
_THREADS = """
query($owner: String!, $name: String!, $pull: Int!, $after: String) {
  repository(owner: $owner, name: $name) { pullRequest(number: $pull) {
    reviewThreads(first: 100, after: $after) {
      nodes { id isResolved comments(first: 1) { nodes { databaseId } } }
      pageInfo { hasNextPage endCursor } } } } }
"""
_RESOLVE = "mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { isResolved } } }"
_READY = """
mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { clientMutationId } }
"""


class Reactions(GitHubApi):
    """The part of the adapter that shows the result of a comment: reactions, labels, resolved threads."""

    def resolve_thread(self, repo: Repo, pull: int, thread: int) -> bool:
        # Nothing but resolving a thread asks for contents, which it needs all the same:
        # https://github.com/orgs/community/discussions/44650
        permissions = {"pull_requests": "write", "contents": "write"}
        try:
            with self._api(repo, permissions) as (github, owner, name):
                found = _thread(github, owner, name, pull, thread)
                if found is None:
                    return False
                if not found["isResolved"]:
                    try:
                        github.graphql(_RESOLVE, {"id": found["id"]})
                    except GraphQLFailed:
                        return False
        except (ForgeDenied, ForgeMissing):
            return False
        return True

    def react(
        self, repo: Repo, number: int, comment: int | None, *, on: TargetKind, in_thread: bool = False
    ) -> None:
        permissions = {"pull_requests": "write"} if in_thread else {"issues": "write"}
        with self._api(repo, permissions) as (github, owner, name):
            reactions = github.rest.reactions
            if comment is None:
                reactions.create_for_issue(owner, name, number, content="eyes")
            elif in_thread:
                reactions.create_for_pull_request_review_comment(owner, name, comment, content="eyes")
            else:
                reactions.create_for_issue_comment(owner, name, comment, content="eyes")

    def put_label(self, repo: Repo, number: int, label: Label, *, on: TargetKind) -> None:
        with self._api(repo, {"issues": "write"}) as (github, owner, name):
            try:
                github.rest.issues.get_label(owner, name, label.name)
            except RequestFailed as error:
                if error.response.status_code != 404:
                    raise
                _make_label(github, owner, name, label)
            github.rest.issues.add_labels(owner, name, number, data={"labels": [label.name]})

    def drop_label(self, repo: Repo, number: int, label: str, *, on: TargetKind) -> None:
        with self._api(repo, {"issues": "write"}) as (github, owner, name):
            try:
                github.rest.issues.remove_label(owner, name, number, label)
            except RequestFailed as error:
                if error.response.status_code != 404:
                    raise

    def set_ready(self, repo: Repo, number: int) -> None:
        with self._api(repo, {"pull_requests": "write", "contents": "write"}) as (github, owner, name):
            answer = github.rest.pulls.get(owner, name, number).json()
            if payloads.PullRequest.model_validate(answer).draft:
                github.graphql(_READY, {"id": answer["node_id"]})


def _thread(github: GitHub[Any], owner: str, name: str, pull: int, first: int) -> dict[str, Any] | None:
    """Return the review thread that begins with comment `first`: its GraphQL `id`, and `isResolved`."""
    after = None
    while True:
        asked = {"owner": owner, "name": name, "pull": pull, "after": after}
        page = github.graphql(_THREADS, asked)["repository"]["pullRequest"]["reviewThreads"]
        for node in page["nodes"]:
            if any(comment["databaseId"] == first for comment in node["comments"]["nodes"]):
                return dict(node)
        if not page["pageInfo"]["hasNextPage"]:
            return None
        after = page["pageInfo"]["endCursor"]


def _make_label(github: GitHub[Any], owner: str, name: str, label: Label) -> None:
    data: Any = {"name": label.name, "color": label.color, "description": label.description}
    try:
        github.rest.issues.create_label(owner, name, data=data)
    except RequestFailed as error:
        # Somebody else has made it in the meantime.
        if error.response.status_code != 422:
            raise
