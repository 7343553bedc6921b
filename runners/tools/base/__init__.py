"""What every tool is made of: a typed function, its arguments and result, what it works on, and the box of
them.

The families of tools are in the folders and files beside this one."""

from runners.policy.refused import Denied, Refused
from runners.tools.base.tool import Arguments, Tool, ToolContext, ToolResult, tool
from runners.tools.base.toolbox import ENDING_TOOLS, Toolbox

__all__ = [
    "ENDING_TOOLS",
    "Arguments",
    "Denied",
    "Refused",
    "Tool",
    "ToolContext",
    "ToolResult",
    "Toolbox",
    "tool",
]
