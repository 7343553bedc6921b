"""Tools that find passages in the repository's documents, with their source."""

from pydantic import Field

from runners.repository.passages import Documents, Passage
from runners.tools.base import Arguments, ToolContext, ToolResult, tool

_MOST = 10


class SearchDocs(Arguments):
    query: str = Field(min_length=2, max_length=500, description="Words to look for, such as a term.")
    most: int = Field(default=5, ge=1, le=_MOST, description="How many passages at most (1 to 10).")


@tool("files.read", writes=False)
def search_docs(ctx: ToolContext, args: SearchDocs) -> ToolResult:
    """Search the repository's documents. Returns the best passages, each with its path and line."""
    found = ctx.resource(Documents).index.search(args.query, 3 * _MOST)
    shown = [each for each in found if _readable(ctx, each)][: args.most]
    if not shown:
        return ToolResult(ok=False, text="not found: No document holds any of these words.")
    data = {"places": [f"{each.path}:{each.line}" for each in shown]}
    return ToolResult(ok=True, text="\n\n".join(map(str, shown)), data=data)


class CheckClaim(Arguments):
    claim: str = Field(
        min_length=5,
        max_length=500,
        description="One sentence about the software, such as `A cart holds at most 20 items`.",
    )


@tool("files.read", writes=False)
def check_claim(ctx: ToolContext, args: CheckClaim) -> ToolResult:
    """Look for a passage of the repository's documents that says what a claim says. Returns the passage with
    its path and line, or `not found`.
    """
    passage, lacking, found = ctx.resource(Documents).index.check(args.claim)
    if passage is None or not _readable(ctx, passage):
        return ToolResult(ok=False, text="not found: No document says this.")
    data = {"place": f"{passage.path}:{passage.line}", "found": found}
    if found:
        return ToolResult(ok=True, text=f"Read whether this says so:\n{passage}", data=data)
    words = ", ".join(f"`{word}`" for word in lacking)
    return ToolResult(
        ok=False,
        text=f"not found: No document says this. The nearest passage lacks {words}:\n{passage}",
        data=data,
    )


def _readable(ctx: ToolContext, passage: Passage) -> bool:
    return ctx.policy.refusal("files.read", passage.path) is None
