"""Coverage-guided fuzzing of what finds calls in a model's text: `make fuzz`.

Nothing it is given may raise, and a write of which anything was guessed may not come back as a call.
"""

import json
import sys

import atheris

with atheris.instrument_imports(include=["runners.models"]):
    from runners.models import rescue

from runners.models.chat import Reply, ToolCall, ToolSchema

TOOLS = [
    ToolSchema(
        name=name,
        description="",
        parameters={
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "content": {"type": "string"},
                "lines": {"type": "integer"},
            },
            "required": ["path"],
        },
    )
    for name in ("read_file", "write_file")
]
NAMES = {tool.name for tool in TOOLS}


def one_input(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    text = provider.ConsumeUnicodeNoSurrogates(4000)
    arguments = provider.ConsumeUnicodeNoSurrogates(400)
    native = (ToolCall(id="1", name=provider.ConsumeUnicodeNoSurrogates(20), arguments=arguments),)
    for calls in ((), native):
        found = rescue.rescue(Reply(text=text, tool_calls=calls), TOOLS, frozenset({"write_file"}), 1)
        for call in found.calls if found.family not in ("", "native") else ():
            assert call.name in NAMES, call
            assert isinstance(json.loads(call.arguments), dict), call


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
