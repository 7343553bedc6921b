from pathlib import Path

import pytest

from runners.policy.capabilities import Grants, Policy
from runners.repository.passages import Documents, PassageIndex, passages_in
from runners.tools import DOCUMENT_TOOLS
from runners.tools.base import Toolbox, ToolContext, ToolResult
from tests.support.tool_context import asked, context
from tests.support.workbench import Workbench

GUIDE = """# Shop

A shop sells things.

## Carts

A cart holds at most 20 items. Whoever adds one more is told so by `CartFull`.

```python
# not a heading
cart.add(item)
```

Delivery
--------

Orders over 50 euros are delivered for free within 3 days.
"""
OTHER = "# Vouchers\n\nA voucher is used once.\n"
INDEX = PassageIndex({"docs/guide.md": GUIDE, "README.md": OTHER})


def test_passages_have_their_line_and_heading() -> None:
    found = passages_in("g.md", GUIDE)
    assert [(each.line, each.heading) for each in found] == [(3, "Shop"), (7, "Carts"), (17, "Delivery")]
    assert "# not a heading" in found[1].text
    long = passages_in("g.md", "\n\n".join(f"{n} {'x' * 500}" for n in range(4)))
    assert [each.line for each in long] == [1, 5]


def test_a_search_finds_forms_of_words_and_names_its_source() -> None:
    first, *_ = INDEX.search("adding items to the carts", 5)
    assert str(first).startswith("docs/guide.md:7 (Carts)\nA cart holds")
    assert INDEX.search("using vouchers", 1)[0].path == "README.md"
    assert INDEX.search("helicopter", 5) == []
    assert INDEX.search('" OR rowid:', 5) == INDEX.search("NEAR(", 5) == []
    assert INDEX.search("for", 5), "a query of common words alone is taken as it is"


@pytest.mark.parametrize(
    "claim",
    [
        "A cart holds at most 20 items",
        "Carts hold 20 items at most.",
        "`CartFull` tells whoever adds one more item",
        "Orders over 50 euros are delivered within 3 days",
    ],
)
def test_claims_that_a_passage_says(claim: str) -> None:
    assert INDEX.check(claim).found, INDEX.check(claim)


@pytest.mark.parametrize(
    ("claim", "lacks"),
    [
        ("A cart holds at most 30 items", "30"),
        ("A cart holds at most 2 items", "2"),
        ("Adding one more raises `CartEmpty`", "CartEmpty"),
        ("A cart is refunded when the helicopter lands", "helicopter"),
    ],
)
def test_claims_that_no_passage_says(claim: str, lacks: str) -> None:
    evidence = INDEX.check(claim)
    assert not evidence.found and lacks in evidence.lacking


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    bench = Workbench(tmp_path / "bench")
    files = {"docs/guide.md": GUIDE, "README.md": OTHER, "docs/ü.md": "Übermut tut gut.\n", "a.py": "cart"}
    base = bench.commit(
        {**files, ".github/notes.md": "cart", "big.md": "cart " * 100_000, "docs/b.rst": "cart\n"}
    )
    (tmp_path / "ctx").mkdir()
    documents = Documents(bench.mirror.path, base)
    assert documents.paths == ("README.md", "big.md", "docs/b.rst", "docs/guide.md", "docs/ü.md")
    return context(
        tmp_path / "ctx",
        resources=(documents,),
        policy=Policy(operator=Grants(allow=("*",), deny=("files.read:docs/b.rst",))),
    )


def use(ctx: ToolContext, name: str, /, **arguments: object) -> ToolResult:
    return Toolbox(DOCUMENT_TOOLS).call(ctx, asked(name, **arguments))


def test_the_tools_answer_with_the_source(ctx: ToolContext) -> None:
    found = use(ctx, "search_docs", query="cart", most=3)
    assert found.ok and found.data["places"] == ["docs/guide.md:7"], "what may not be read is not shown"
    assert use(ctx, "search_docs", query="übermut").text.startswith("docs/ü.md:1\n")
    assert use(ctx, "search_docs", query="helicopter").text.startswith("not found")
    said = use(ctx, "check_claim", claim="A cart holds at most 20 items.")
    assert said.ok and "docs/guide.md:7 (Carts)" in said.text
    other = use(ctx, "check_claim", claim="A cart holds at most 30 items.")
    assert not other.ok and other.text.startswith("not found") and "lacks `30`" in other.text
    assert use(ctx, "check_claim", claim="Helicopters fly.").text == "not found: No document says this."
