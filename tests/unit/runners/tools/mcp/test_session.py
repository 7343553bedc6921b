"""The protocol without a server: a transport that answers from a script."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runners.tools.mcp.session import McpFailed, Session

Message = dict[str, Any]


class Scripted:
    """A transport that passes each request to `answer` and keeps what was told."""

    def __init__(self, answer: Callable[[Message], list[Message]]) -> None:
        self._answer = answer
        self.told: list[Message] = []
        self.agreed = ""

    def exchange(self, message: Message, seconds: float) -> Iterator[Message]:
        yield from self._answer(message)

    def tell(self, message: Message, seconds: float) -> None:
        self.told.append(message)

    def revision(self, agreed: str) -> None:
        self.agreed = agreed

    def close(self) -> None:
        pass


def tool(name: str) -> Message:
    return {"name": name, "description": "d", "inputSchema": {"type": "object"}}


def results(**by_method: Any) -> Callable[[Message], list[Message]]:
    """Answers each method with a result; a function gets the request's parameters."""

    def answer(message: Message) -> list[Message]:
        given = {"initialize": {"protocolVersion": "2025-06-18"}, "tools/list": {"tools": []}, **by_method}
        found = given[message["method"]]
        return [{"id": message["id"], "result": found(message["params"]) if callable(found) else found}]

    return answer


def test_the_handshake_takes_the_revision_of_the_server() -> None:
    transport = Scripted(results())
    assert Session(transport).start(9) == ()
    assert transport.agreed == "2025-06-18"
    assert [each["method"] for each in transport.told] == ["notifications/initialized"]


@pytest.mark.parametrize("revision", ["1999-01-01", "2026-07-28", None])
def test_an_unknown_revision_is_refused(revision: str | None) -> None:
    transport = Scripted(results(initialize={"protocolVersion": revision}))
    with pytest.raises(McpFailed, match="speaks the revision"):
        Session(transport).start(9)


def test_tools_come_from_all_pages() -> None:
    def page(params: Message) -> Message:
        return {"tools": [tool("b")]} if params.get("cursor") else {"tools": [tool("a")], "nextCursor": "2"}

    found = Session(Scripted(results(**{"tools/list": page}))).start(9)
    assert [each.name for each in found] == ["a", "b"]


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ({"tools": [tool("a"), tool("a")]}, "two tools of one name"),
        ({"tools": [tool(str(n)) for n in range(201)]}, "more than 200 tools"),
        ({"tools": [tool("a")], "nextCursor": "again"}, "more than"),
        ({"tools": [{"name": "a"}]}, "without a name or a schema"),
        ({"tools": [{"inputSchema": {}}]}, "without a name or a schema"),
        ({"tools": ["a"]}, "without a name or a schema"),
    ],
)
def test_lists_that_are_refused(tools: Message, said: str) -> None:
    with pytest.raises(McpFailed, match=said):
        Session(Scripted(results(**{"tools/list": tools}))).start(9)


@pytest.mark.parametrize(
    ("result", "text", "failed"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb", False),
        ({"content": [{"type": "text", "text": "no"}], "isError": True}, "no", True),
        ({"content": [], "structuredContent": {"a": 1}}, '{\n "a": 1\n}', False),
        ({"content": [{"type": "image", "data": "AAAA"}]}, "[image, which is not shown]", False),
        ({"content": [{"type": "resource", "resource": {"text": "t"}}]}, "t", False),
        (
            {"content": [{"type": "resource", "resource": {"blob": "t"}}]},
            "[resource, which is not shown]",
            False,
        ),
        ({"content": [{"type": "resource_link", "name": "n", "uri": "u"}]}, "[a link: n u]", False),
        ({"content": [{"type": "text", "text": "a\x1b[2J\u202eb"}]}, "a[2Jb", False),
        ({"content": "x"}, "", False),
    ],
)
def test_results_become_text(result: Message, text: str, failed: bool) -> None:
    output = Session(Scripted(results(**{"tools/call": result}))).call("t", {}, 9)
    assert (output.text, output.failed) == (text, failed)


def test_what_a_server_asks_is_refused_but_a_ping() -> None:
    def answer(message: Message) -> list[Message]:
        return [
            {"id": 7, "method": "ping"},
            {"id": 8, "method": "sampling/createMessage", "params": {}},
            {"method": "notifications/tools/list_changed"},
            {"id": 99, "result": {}},  # an answer to something else
            {"id": message["id"], "result": {"content": []}},
        ]

    transport = Scripted(answer)
    session = Session(transport)
    assert session.call("t", {}, 9).text == ""
    assert [(each["id"], "result" in each) for each in transport.told] == [(7, True), (8, False)]
    assert session.changed


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([{"error": {"code": 1, "message": "broken"}}], "answered with an error: broken"),
        ([{"error": "broken"}], "answered with an error: broken"),
        ([{"result": []}], "not a result"),
        ([], "ended without an answer"),
    ],
)
def test_answers_that_are_no_result(answers: list[Message], said: str) -> None:
    transport = Scripted(lambda message: [{"id": message["id"], **each} for each in answers])
    with pytest.raises(McpFailed, match=said):
        Session(transport).call("t", {}, 9)
