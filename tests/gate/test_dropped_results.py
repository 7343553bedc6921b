"""A change whose callers drop what it returns is judged by its effects."""

import pytest

from tests.support.workbench import BASE, FEATURE, Workbench, codes

# `put` does not use what `drop` returns, and needs that there is room afterwards.
BOX = """class Box:
    def __init__(self, size):
        self.size, self.items = size, []

    def put(self, item):
        if len(self.items) == self.size:
            self.drop()
        if len(self.items) == self.size:
            raise OverflowError("the box is full")
        self.items.append(item)

    def drop(self):
        return self.items.pop()
"""
FIRST_OUT = BOX.replace("pop()", "pop(0)")
DECORATED = (
    "def kept(func):\n    def wrapper(*args):\n        return func(*args)\n    return wrapper\n\n\n" + BOX
)
SPEC = {
    FEATURE: "@issue-1\nFeature: Box\n\n  Scenario: The first one goes\n    When I put 1, 2 and 3 into a box of 2\n"
    "    Then 2 and 3 are left\n"
}
STEPS = """from behave import then, when

import box


@when("I put {a:d}, {b:d} and {c:d} into a box of {size:d}")
def put(context, a, b, c, size):
    context.box = box.Box(size)
    for item in (a, b, c):
        context.box.put(item)
    context.left = sorted(context.box.items)


@then("{a:d} and {b:d} are left")
def left(context, a, b):
    assert context.left == [a, b], context.left
"""
TEST = (
    "from box import Box\n\n\ndef test_first_out():\n    box = Box(1)\n    box.put(1)\n    box.put(2)\n"
    "    assert box.items == [2]\n"
)
# name -> the code before, the code after, and the assertion of the Then step.
CHANGES = {
    "a method": (BOX, FIRST_OUT),
    "a method behind a decorator": (
        DECORATED.replace("    def drop", "    @kept\n    def drop"),
        DECORATED.replace("    def drop", "    @kept\n    def drop").replace("pop()", "pop(0)"),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_scenario_that_sees_the_effect_is_proven(bench: Workbench, name: str) -> None:
    before, after = CHANGES[name]
    verdict = bench.verdict(
        {"box.py": after, "features/steps/box_steps.py": STEPS, "test_box.py": TEST},
        base={**BASE, "box.py": before},
        spec=SPEC,
    )
    assert verdict.green, (verdict.problems, verdict.scenarios)


# What looks at no effect. It is red before the change only because the steps import a new name.
_NEW = STEPS.replace("import box\n", "import box\nfrom box import FIRST_OUT as _\n")
LAZY = {
    "constants": _NEW.replace("context.left == [a, b], context.left", "[2, 3] == [a, b]"),
    "what the step itself works out, beside a call that nothing needs": _NEW.replace(
        "        context.box.put(item)\n", "        context.box.items.append(item)\n    context.box.drop()\n"
    ).replace("sorted(context.box.items)", "sorted([b, c])"),
}


@pytest.mark.parametrize("name", LAZY)
def test_a_scenario_that_sees_no_effect_is_blind(bench: Workbench, name: str) -> None:
    verdict = bench.verdict(
        {
            "box.py": FIRST_OUT + "\n\nFIRST_OUT = True\n",
            "features/steps/box_steps.py": LAZY[name],
            "test_box.py": TEST,
        },
        base={**BASE, "box.py": BOX},
        spec=SPEC,
    )
    assert codes(verdict) == {"scenario-blind"}, verdict.problems
