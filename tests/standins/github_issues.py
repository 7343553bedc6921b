"""Issues, comments, reactions and labels on the GitHub stand-in."""

import threading
from typing import Any

from tests.standins.github_state import Call, GitHubState, R, Refusal, now


class Issues(GitHubState):
    """The handlers of the requests about them."""

    def _list_issues(self, call: Call) -> tuple[int, Any]:
        """Pull requests are issues too, and marked as such."""
        own = [self._get_issue(call, str(number))[1] for number in self.issues]
        template = self._template("get", R + "/issues")[0]
        pulls = [
            {
                **template,
                "number": number,
                "body": pull["body"],
                "pull_request": {
                    **template.get("pull_request", {}),
                    "url": self.root,
                    "html_url": self.root,
                    "diff_url": self.root,
                    "patch_url": self.root,
                },
            }
            for number, pull in self.pulls.items()
        ]
        if call.query.get("state", "open") != "all":
            raise Refusal(422, "the stand-in lists all issues only")
        return 200, sorted([*own, *pulls], key=lambda each: -each["number"])

    def _create_issue(self, call: Call) -> tuple[int, Any]:
        number = self.open_issue("ada", call.body["title"], call.body.get("body") or "")
        self.issues[number] |= {
            "user": call.user,
            "labels": [{"name": each} for each in call.body.get("labels", [])],
        }
        template = self._template("post", R + "/issues", 201)
        return 201, {**template, **self._get_issue(call, str(number))[1]}

    def _get_issue(self, _call: Call, number: str) -> tuple[int, Any]:
        if int(number) not in self.issues:
            raise Refusal(404, "Not Found")
        issue = self.issues[int(number)]
        template = self._template("get", R + "/issues/{issue_number}")
        template.pop("pull_request", None)
        plain = {key: issue[key] for key in ("number", "title", "body", "updated_at")}
        labels = [{**template["labels"][0], **label} for label in issue["labels"]]
        user = {**template["user"], **issue["user"]}
        return 200, {**template, **plain, "user": user, "labels": labels, "state": "open"}

    def _add_comment(self, number: int, user: dict[str, Any], body: str) -> int:
        made = self._next_id()
        self.comments[made] = {
            "id": made,
            "issue": number,
            "user": user,
            "body": body,
            "created_at": now(),
            "updated_at": now(),
        }
        return made

    def _comment_answer(self, comment: dict[str, Any]) -> dict[str, Any]:
        template = self._template("post", R + "/issues/{issue_number}/comments", 201)
        plain = {key: value for key, value in comment.items() if key not in ("issue", "user")}
        return {**template, **plain, "user": {**template["user"], **comment["user"]}}

    def _list_comments(self, _call: Call, number: str) -> tuple[int, Any]:
        found = [each for each in self.comments.values() if each["issue"] == int(number)]
        return 200, [self._comment_answer(each) for each in found]

    def _create_comment(self, call: Call, number: str) -> tuple[int, Any]:
        if int(number) not in self.issues and int(number) not in self.pulls:
            raise Refusal(404, "Not Found")
        self._bounded(call.body["body"])
        made = self._add_comment(int(number), call.user, call.body["body"])
        return 201, self._comment_answer(self.comments[made])

    def _update_comment(self, call: Call, comment: str) -> tuple[int, Any]:
        if int(comment) not in self.comments:
            raise Refusal(404, "Not Found")
        self._bounded(call.body["body"])
        self.comments[int(comment)] |= {"body": call.body["body"], "updated_at": now()}
        return 200, self._comment_answer(self.comments[int(comment)])

    @staticmethod
    def _bounded(body: str) -> None:
        if len(body) > 65536:
            raise Refusal(
                422, "Validation Failed", [{"message": "body is too long (maximum is 65536 characters)"}]
            )

    def _react_to_issue(self, call: Call, number: str) -> tuple[int, Any]:
        return self._reacted(call, (self.issues | self.pulls).get(int(number)), int(number))

    def _react(self, call: Call, comment: str) -> tuple[int, Any]:
        found = self.review_comments if "/pulls/" in call.path else self.comments
        return self._reacted(call, found.get(int(comment)), int(comment))

    def _reacted(self, call: Call, thing: object, number: int) -> tuple[int, Any]:
        if thing is None:
            raise Refusal(404, "Not Found")
        fresh = (number, call.body["content"]) not in self.reactions
        self.reactions.add((number, call.body["content"]))
        template = self._template("post", R + "/issues/comments/{comment_id}/reactions", 201)
        user = {**template["user"], **call.user}
        return 201 if fresh else 200, {**template, "content": call.body["content"], "user": user}

    def _label_answer(self, name: str) -> dict[str, Any]:
        template = self._template("get", R + "/labels/{name}")
        return {**template, "name": name, **self.labels[name]}

    def _get_label(self, _call: Call, label: str) -> tuple[int, Any]:
        if label not in self.labels:
            raise Refusal(404, "Not Found")
        return 200, self._label_answer(label)

    def _create_label(self, call: Call) -> tuple[int, Any]:
        if call.body["name"] in self.labels:
            raise Refusal(422, "Validation Failed", [{"resource": "Label", "code": "already_exists"}])
        self.labels[call.body["name"]] = {key: call.body.get(key, "") for key in ("color", "description")}
        return 201, self._label_answer(call.body["name"])

    def _put_labels(self, call: Call, number: str) -> tuple[int, Any]:
        thing = (self.issues | self.pulls).get(int(number))
        if thing is None:
            raise Refusal(404, "Not Found")
        labels = thing.setdefault("labels", [])
        for name in call.body["labels"]:
            if name not in self.labels:
                raise Refusal(422, "the stand-in wants labels to be made first")
            if {"name": name} not in labels:
                labels.append({"name": name})
                self._tell_label("labeled", call, number, name)
        return 200, [self._label_answer(each["name"]) for each in labels if each["name"] in self.labels]

    def _drop_label(self, call: Call, number: str, label: str) -> tuple[int, Any]:
        thing = (self.issues | self.pulls).get(int(number))
        if thing is None or {"name": label} not in thing.get("labels", []):
            raise Refusal(404, "Label does not exist")
        thing["labels"].remove({"name": label})
        self._tell_label("unlabeled", call, number, label)
        return 200, []

    def _tell_label(self, action: str, call: Call, number: str, label: str) -> None:
        """Tell of a label that the bot itself has put on or taken off, as GitHub does."""
        if int(number) in self.issues:
            parts = {"issue": dict(self.issues[int(number)]), "label": {"name": label}}
            who = call.user["login"]
            threading.Thread(
                target=self.send, args=("issues", action, who), kwargs=parts, daemon=True
            ).start()
