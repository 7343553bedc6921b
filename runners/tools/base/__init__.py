"""The parts of every tool: a typed function, its arguments and result, and the toolbox.

The families of tools are in the folders and files beside this one.
"""

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
