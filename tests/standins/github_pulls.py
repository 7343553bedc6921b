"""Pull requests, reviews and check runs on the GitHub stand-in."""

import re
from typing import Any

from runners.git.command import git
from tests.standins.github_state import SLUG, Call, GitHubState, R, Refusal, now
from tests.standins.merging import commits_of


class Pulls(GitHubState):
    """The handlers of the requests about them."""

    def _ref(self, branch: str) -> str:
        return git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", git_dir=self.bare)

    def _pull_payload(self, number: int) -> dict[str, Any]:
        pull = self.pulls[number]
        repo = {"full_name": self.repo}
        return {
            "number": number,
            "title": pull["title"],
            "head": {"ref": pull["head"], "sha": pull["sha"], "repo": repo},
        }

    def _pull_answer(self, number: int, template: dict[str, Any]) -> dict[str, Any]:
        pull = self.pulls[number]
        head = {**template["head"], "ref": pull["head"], "sha": pull["sha"]}
        head["repo"] = {**template["head"]["repo"], "full_name": self.repo}
        return {
            **template,
            "number": number,
            "node_id": f"PR_{number}",
            "title": pull["title"],
            "body": pull["body"],
            "state": pull["state"],
            "html_url": f"{self.api_url}/{self.repo}/pull/{number}",
            "user": {**template["user"], **pull["user"]},
            "head": head,
            "base": {**template["base"], "ref": pull["base"]},
            "merged_at": None,
            "draft": pull["draft"],
        }

    def _list_pulls(self, call: Call) -> tuple[int, Any]:
        template = self._template("get", R + "/pulls")[0]
        state, head = call.query.get("state", "open"), call.query.get("head", "")
        found = [
            number
            for number, pull in sorted(self.pulls.items(), reverse=True)
            if state in ("all", pull["state"]) and head in ("", f"octo:{pull['head']}")
        ]
        return 200, [self._pull_answer(number, template) for number in found]

    def _create_pull(self, call: Call) -> tuple[int, Any]:
        head, base = call.body["head"], call.body["base"]
        sha = self._ref(head)
        if not sha or not self._ref(base):
            raise Refusal(
                422, "Validation Failed", [{"resource": "PullRequest", "field": "head", "code": "invalid"}]
            )
        if any(pull["head"] == head and pull["state"] == "open" for pull in self.pulls.values()):
            message = f"A pull request already exists for octo:{head}."
            raise Refusal(
                422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}]
            )
        if sha == self._ref(base):
            raise Refusal(422, "Validation Failed", [{"message": f"No commits between {base} and {head}"}])
        if call.body.get("draft") and not self.drafts:
            raise Refusal(422, "Draft pull requests are not supported in this repository.")
        number = len(self.issues) + len(self.pulls) + 1
        self.pulls[number] = {
            "title": call.body["title"],
            "body": call.body.get("body"),
            "head": head,
            "base": base,
            "sha": sha,
            "state": "open",
            "user": call.user,
            "draft": call.body.get("draft", False),
        }
        template = self._template("post", R + "/pulls", 201)
        return 201, self._pull_answer(number, template)

    def _get_pull(self, _call: Call, number: str) -> tuple[int, Any]:
        if int(number) not in self.pulls:
            raise Refusal(404, "Not Found")
        return 200, self._pull_answer(int(number), self._template("get", R + "/pulls/{pull_number}"))

    def _list_pull_commits(self, _call: Call, number: str) -> tuple[int, Any]:
        pull = self.pulls[int(number)]
        template = self._template("get", R + "/pulls/{pull_number}/commits")[0]
        return 200, [
            {
                **template,
                "sha": sha,
                "commit": {**template["commit"], "author": {**template["commit"]["author"], "email": email}},
                "parents": [{**template["parents"][0], "sha": parent} for parent in parents],
            }
            for sha, email, _title, parents in commits_of(self.bare, pull["base"], pull["head"])
        ]

    def _update_pull(self, call: Call, number: str) -> tuple[int, Any]:
        self.pulls[int(number)] |= call.body
        return self._get_pull(call, number)

    def _get_review(self, _call: Call, number: str, review: str) -> tuple[int, Any]:
        found = self.reviews.get(int(review))
        if found is None or found["pull"] != int(number):
            raise Refusal(404, "Not Found")
        template = self._template("get", R + "/pulls/{pull_number}/reviews/{review_id}")
        plain = {key: found[key] for key in ("id", "body", "state", "submitted_at")}
        return 200, {**template, **plain, "user": {**template["user"], **found["user"]}}

    def _review_comment_answer(self, comment: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
        template.pop("in_reply_to_id", None)
        plain = {key: value for key, value in comment.items() if key not in ("pull", "user")}
        return {**template, **plain, "user": {**template["user"], **comment["user"]}}

    def _list_review_comments(self, _call: Call, number: str) -> tuple[int, Any]:
        template = self._template("get", R + "/pulls/{pull_number}/comments")[0]
        found = [each for each in self.review_comments.values() if each["pull"] == int(number)]
        return 200, [self._review_comment_answer(each, dict(template)) for each in found]

    def _reply(self, call: Call, number: str, comment: str) -> tuple[int, Any]:
        root = self.review_comments.get(int(comment))
        if root is None or root["pull"] != int(number) or "in_reply_to_id" in root:
            raise Refusal(404, "Not Found")
        made = self._next_id()
        self.review_comments[made] = {
            **root,
            "id": made,
            "user": call.user,
            "body": call.body["body"],
            "in_reply_to_id": root["id"],
            "pull_request_review_id": self._next_id(),
            "created_at": now(),
            "updated_at": now(),
        }
        template = self._template("post", R + "/pulls/{pull_number}/comments/{comment_id}/replies", 201)
        return 201, self._review_comment_answer(self.review_comments[made], template)

    def _check_answer(self, check: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
        plain = {key: check[key] for key in ("id", "name", "head_sha", "external_id", "status", "conclusion")}
        output = {**template["output"], "title": check["title"], "summary": check["summary"]}
        output["annotations_count"] = len(check["annotations"])
        app = {**template["app"], "slug": check.get("slug", SLUG)}
        return {**template, **plain, "output": output, "app": app}

    def _list_checks(self, call: Call, sha: str) -> tuple[int, Any]:
        template = self._template("get", R + "/commits/{ref}/check-runs")["check_runs"][0]
        name, sha = call.query.get("check_name"), self._ref(sha) or sha
        found = [
            check
            for check in self.checks.values()
            if check["head_sha"] == sha and name in (None, check["name"])
        ]
        if call.query.get("filter", "latest") == "latest":
            found = list({check["name"]: check for check in found}.values())
        answers = [self._check_answer(check, template) for check in found]
        return 200, {"total_count": len(found), "check_runs": answers}

    def _create_check(self, call: Call) -> tuple[int, Any]:
        if not re.fullmatch("[0-9a-f]{40}", call.body["head_sha"]):
            raise Refusal(422, "No commit found for SHA")
        made = self._next_id()
        self.checks[made] = {
            "id": made,
            "name": call.body["name"],
            "head_sha": call.body["head_sha"],
            "external_id": "",
            "status": "queued",
            "conclusion": None,
            "title": None,
            "summary": None,
            "annotations": [],
        }
        self._apply_check(made, call.body)
        return 201, self._check_answer(self.checks[made], self._template("post", R + "/check-runs", 201))

    def _update_check(self, call: Call, check: str) -> tuple[int, Any]:
        if int(check) not in self.checks:
            raise Refusal(404, "Not Found")
        self._apply_check(int(check), call.body)
        template = self._template("patch", R + "/check-runs/{check_run_id}")
        return 200, self._check_answer(self.checks[int(check)], template)

    def _apply_check(self, number: int, body: dict[str, Any]) -> None:
        check, output = self.checks[number], body.get("output", {})
        if len(output.get("annotations", [])) > 50:
            raise Refusal(422, "Invalid request.\n\nNo more than 50 items are allowed.")
        check |= {key: body[key] for key in ("external_id", "status", "conclusion") if key in body}
        if "conclusion" in body:
            check["status"] = "completed"
        check |= {key: output[key] for key in ("title", "summary") if key in output}
        check["annotations"] = [*check["annotations"], *output.get("annotations", [])]

    def _graphql(self, body: dict[str, Any], authorization: str) -> tuple[int, Any]:
        """The queries and mutations that the bot uses; https://docs.github.com/en/graphql"""
        query, given = body["query"], body.get("variables", {})
        user, permissions, _ = self._tokens.get(authorization.partition(" ")[2], ({}, {}, 0.0))
        if not user:
            return 401, {"message": "Bad credentials"}
        if "viewer" in query:
            return 200, {"data": {"viewer": {"login": user["login"]}}}
        if "mutation" in query and permissions.get("contents") != "write":
            error = {"type": "FORBIDDEN", "message": "Resource not accessible by integration"}
            return 200, {"data": {}, "errors": [error]}
        if "resolveReviewThread" in query:
            self.resolved.add(int(given["id"].removeprefix("PRRT_")))
            return 200, {"data": {"resolveReviewThread": {"thread": {"isResolved": True}}}}
        if "markPullRequestReadyForReview" in query:
            self.pulls[int(given["id"].removeprefix("PR_"))]["draft"] = False
            return 200, {"data": {"markPullRequestReadyForReview": {"clientMutationId": None}}}
        nodes = [
            {
                "id": f"PRRT_{each['id']}",
                "isResolved": each["id"] in self.resolved,
                "comments": {"nodes": [{"databaseId": each["id"]}]},
            }
            for each in self.review_comments.values()
            if each["pull"] == given["pull"] and "in_reply_to_id" not in each
        ]
        # Pages of one, so that more than one is asked for.
        start = int(given.get("after") or 0)
        info = {"hasNextPage": start + 1 < len(nodes), "endCursor": str(start + 1)}
        threads = {"nodes": nodes[start : start + 1], "pageInfo": info}
        return 200, {"data": {"repository": {"pullRequest": {"reviewThreads": threads}}}}
