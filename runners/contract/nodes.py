"""The nodes that an operator adds to the graph of phases; each reads the present change and alters
nothing.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from gherkin.values import Frozen
from runners.models.runtimes import ModelRole

# What a node comes to: nothing stands against going on, or it found something to fix.
NodeOutcome = Literal["done", "red"]
ReadingTool = Literal[
    "read_file",
    "list_files",
    "glob",
    "search",
    "git_log",
    "git_diff",
    "git_status",
    "search_docs",
    "check_claim",
]


class CommandNode(Frozen):
    """A command in the sandbox, in a checkout of the change: exit code 0 is ``done``, any other ``red``."""

    kind: Literal["command"]
    run: str = Field(min_length=1, description="Run by bash, without network, beside the environment.")


class AgentNode(Frozen):
    """A model that reads the change and answers in a form: its `outcome` is ``done`` or ``red``."""

    kind: Literal["agent"]
    role: ModelRole = Field(default="reviewer", description="Whose model it is, by the models file.")
    prompt: str = Field(description="A text file with its instructions, relative to the workflow file.")
    tools: tuple[ReadingTool, ...] = Field(
        default=("read_file", "list_files", "search"), description="What it may call; all only read."
    )
    output: dict[str, Any] = Field(
        default={},
        description="Further properties of its answer (JSON Schema by name), besides its own.",
    )
    turns: int = Field(default=10, ge=1, le=50, description="Replies at most.")


class ParallelNode(Frozen):
    """Command and agent nodes that run at the same time; the node is ``red`` if one of them is.

    Results are stored in the run's log at once, so that after a killed worker only the others are repeated.
    """

    kind: Literal["parallel"]
    branches: tuple[str, ...] = Field(min_length=2, description="Names of command and agent nodes.")


RunnerNode = CommandNode | AgentNode | ParallelNode


class RunnerNodes(Frozen):
    """All nodes that runners do, by name; prompts are the texts of their files."""

    nodes: dict[str, RunnerNode] = {}

    @model_validator(mode="after")
    def _branches(self) -> "RunnerNodes":
        for name, node in self.nodes.items():
            for branch in node.branches if isinstance(node, ParallelNode) else ():
                if not isinstance(self.nodes.get(branch), (CommandNode, AgentNode)):
                    raise ValueError(f"{name}: its branch {branch} is no command or agent node")
        return self
