"""Tool calls as XML in the text, for models and servers without native tool calls."""

import json
import threading
from collections.abc import Sequence
from typing import Any

from runners.models.chat import ChatModel, Choice, Message, Reply, ToolCall, ToolSchema

_INSTRUCTIONS = """# Tools

You act by calling tools. A call stands at the end of your reply, on lines of its own, and looks exactly like this:

<tool_call><name>TOOL</name><arguments><ARGUMENT>
value
</ARGUMENT></arguments></tool_call>

Values are plain text, nothing is escaped; the line breaks next to the tags do not count. Numbers, true and false stand as they
are, lists and objects as JSON. A value that holds its own closing tag goes into <![CDATA[ and ]]>. The results come in the
next message, as <tool_result>. You may call several tools in one reply.

"""  # noqa: E501 - the lines are the model's


class XmlTools:
    """Wraps `model`: describes its tools in the system message, and lets it call them in its text.

    `runners.models.rescue` finds the calls, as it does for other formats.
    """

    def __init__(self, model: ChatModel) -> None:
        self.name = model.name
        self.plain = model

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema] = (),
        *,
        schema: dict[str, Any] | None = None,
        choice: Choice = "auto",
        max_tokens: int = 8192,
        cancel: threading.Event | None = None,
    ) -> Reply:
        """See `ChatModel.reply`."""
        return self.plain.reply(as_text(messages, tools), schema=schema, max_tokens=max_tokens, cancel=cancel)


def as_text(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> list[Message]:
    """Return the conversation as alternating user and assistant messages, with calls and results as text."""
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    out: list[Message] = []
    for message in messages:
        match message.role:
            case "assistant":
                calls = "\n".join(_call(call) for call in message.tool_calls)
                text = "\n\n".join(part for part in (message.text, calls) if part)
                out.append(Message(role="assistant", text=text or "(nothing)"))
            case "tool":
                name = names.get(message.tool_call_id or "", "")
                result = f'<tool_result name="{name}">\n{message.text}\n</tool_result>'
                _append(out, result)
            case "user":
                _append(out, message.text)
            case "system":
                out.append(message)
    if tools:
        described = _INSTRUCTIONS + "\n".join(_described(tool) for tool in tools)
        if out and out[0].role == "system":
            out[0] = Message(role="system", text=f"{out[0].text}\n\n{described}")
        else:
            out.insert(0, Message(role="system", text=described))
    return out


def _append(out: list[Message], text: str) -> None:
    if out and out[-1].role == "user":
        out[-1] = Message(role="user", text=f"{out[-1].text}\n\n{text}")
    else:
        out.append(Message(role="user", text=text))


def _call(call: ToolCall) -> str:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = {}
    if not isinstance(arguments, dict):
        arguments = {}
    inside = "".join(f"<{key}>\n{_value(key, value)}\n</{key}>" for key, value in arguments.items())
    return f"<tool_call><name>{call.name}</name><arguments>{inside}</arguments></tool_call>"


def _value(key: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"<![CDATA[{text}]]>" if f"</{key}>" in text or "</tool_call>" in text else text


def _described(tool: ToolSchema) -> str:
    lines = [f"## {tool.name}", tool.description]
    required = set(tool.parameters.get("required", ()))
    for name, schema in tool.parameters.get("properties", {}).items():
        need = "required" if name in required else "optional"
        about = schema.get("description", "")
        lines.append(f"- {name} ({_kind(schema)}, {need}){': ' + about if about else ''}")
    return "\n".join(lines) + "\n"


def _kind(schema: dict[str, Any]) -> str:
    kinds = [each["type"] for each in (schema, *schema.get("anyOf", ())) if "type" in each]
    return " or ".join(kind for kind in kinds if kind != "null") or "object"
