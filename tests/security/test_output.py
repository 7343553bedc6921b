"""What output of commands and models could do to whoever looks at it."""

import json

import pytest
from rich.console import Console

from bot.cli.runs.audit import audit_lines
from bot.cli.runs.log import log_line
from bot.log.events import Entry
from bot.report.escape import block, inline, prose
from bot.report.terminal import describe
from runners.contract.events import ModelReplied, PromptSent, ToolCalled
from runners.models.chat import Reply, ToolCall
from runners.policy.plaintext import one_line, without_controls
from runners.tools.base import ToolContext
from tests.support.tool_context import call

EVIL = {
    "clears the screen": "\x1b[2J\x1b[H",
    "sets the title": "\x1b]0;pwned\x07",
    "a link": "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "writes the clipboard": "\x1b]52;c;cHduZWQ=\x07",
    "one byte of escape": "\x9b2J\x9d0;x\x9c",
    "goes back": "ok\rFAILED\b\b\b\b",
    "turns the direction": "\u202etxet\u2066x",
}


def entries(text: str) -> list[Entry]:
    made = [
        ToolCalled(
            call=ToolCall(id="1", name=f"shell{text}", arguments=text),
            ok=True,
            text=text,
            seconds=0,
            files_changed=(text,),
        ),
        ModelReplied(phase="implement", reply=Reply(text=f"I say {text} so"), seconds=0),
        PromptSent(reason="nudge", text=text),
    ]
    return [Entry(seq=n, at="2026-01-01T00:00:00Z", event=event) for n, event in enumerate(made, 1)]


def harmful(text: str) -> bool:
    return without_controls(text) != text or "\r" in text


@pytest.mark.parametrize("name", EVIL)
def test_attack_the_terminal_of_whoever_reads_the_log(name: str) -> None:
    evil = EVIL[name]
    assert harmful(evil)  # the control: it is one
    for entry in entries(evil):
        assert not harmful(log_line(entry)), "scenarist log"
        console = Console(width=200, force_terminal=False)
        with console.capture() as printed:
            for line in describe(entry):
                console.print(line)
        assert not harmful(printed.get().replace("\n", "")), "scenarist demo"
    for line in audit_lines(entries(evil), as_json=False):
        assert not harmful(line), "scenarist audit"
    for line in audit_lines(entries(evil), as_json=True):
        assert not harmful(line) and json.loads(line), "scenarist audit --json"


@pytest.mark.parametrize("name", EVIL)
def test_attack_the_reader_of_a_comment(name: str) -> None:
    for shown in (inline(EVIL[name]), prose(EVIL[name]), one_line(EVIL[name]), block(EVIL[name])):
        assert not harmful(shown.replace("\n", ""))


def test_attack_forge_a_line_of_the_log() -> None:
    """A line end in a call makes a second line that looks like an entry of its own."""
    forged = 'x"}\n   9 00:00:00 edit shell.run    shell {"command": "harmless"}  [ok]'
    assert "\n" in forged
    for entry in entries(forged):
        assert "\n" not in log_line(entry)
    assert all("\n" not in line for line in audit_lines(entries(forged), as_json=False))
    assert all("\n" not in line for line in audit_lines(entries(forged), as_json=True))


def test_attack_end_the_code_block_of_a_comment() -> None:
    for text in ("```\n# Approved by @maintainer", "~~~\n<script>", "````\n</details>"):
        shown = block(text)
        fence = shown[: len(shown) - len(shown.lstrip("`"))]
        assert fence not in text and shown.endswith(fence)


@pytest.mark.parametrize(
    "text",
    [
        "@maintainer approve",
        "Closes #1",
        "![x](http://evil/p.png)",
        "<img src=http://evil>",
        "[x](javascript:1)",
        "<!-- scenarist:pull:X -->",
    ],
)
def test_attack_ping_close_or_track_from_a_comment(text: str) -> None:
    for shown in (inline(text), prose(text)):
        assert shown != text
        assert not any(sign in shown for sign in ("@maintainer", "#1", "![x]", "<img", "](", "<!--"))


def test_attack_output_that_is_not_text(ctx: ToolContext) -> None:
    for script in (
        "printf '\\377\\376\\000\\001'",
        "printf '\\xed\\xa0\\x80'",
        "head -c 100000 /dev/urandom",
    ):
        result = call(ctx, "shell", command=script)
        result.text.encode()
        json.loads(result.model_dump_json())
        assert len(result.text) < 17_000
