"""The diff that the model is shown when it finishes: not what it has just written itself."""

import json

import pytest

from runners.contract.events import Condensed, RunnerEvent, ToolCalled
from runners.loop.written_files import without_written
from runners.models.chat import ToolCall

NEW = """\
diff --git a/new.py b/new.py
new file mode 100644
index 0000000..1111111
--- /dev/null
+++ b/new.py
@@ -0,0 +1,3 @@
+import os
+
+print(os.name)
"""
CHANGED = """\
diff --git a/old.py b/old.py
index 1111111..2222222 100644
--- a/old.py
+++ b/old.py
@@ -1 +1 @@
-a = 1
+a = 2
"""
TEXT = "import os\n\nprint(os.name)\n"


def wrote(content: str, *, path: str = "new.py", ok: bool = True) -> ToolCalled:
    call = ToolCall(id="1", name="write_file", arguments=json.dumps({"path": path, "content": content}))
    return ToolCalled(call=call, ok=ok, text="", seconds=0)


def test_a_new_file_as_it_was_written_is_one_line() -> None:
    shown = without_written(CHANGED + NEW + CHANGED, [wrote("x"), wrote(TEXT)])
    assert shown == (
        f"{CHANGED}diff --git a/new.py b/new.py\n(new file, 3 lines, exactly as you wrote it)\n{CHANGED}"
    )


@pytest.mark.parametrize(
    "events",
    [
        [],
        [wrote(TEXT + "x = 1\n")],
        [wrote(TEXT), wrote("x")],
        [wrote(TEXT, path="other.py")],
        [wrote(TEXT, ok=False)],
        [wrote(TEXT), Condensed(step="digest", kept=2, tokens=9)],
    ],
)
def test_everything_else_is_shown(events: list[RunnerEvent]) -> None:
    assert without_written(NEW, events) == NEW


def test_a_file_that_was_there_is_shown_even_if_it_was_written_whole() -> None:
    assert without_written(CHANGED, [wrote("a = 2\n", path="old.py")]) == CHANGED
    assert without_written("", [wrote(TEXT)]) == ""
    assert without_written("… cut", []) == "… cut"
