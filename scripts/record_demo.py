"""Record the run that `scenarist demo` replays: run the demo on scripted turns and store its log.

    .venv/bin/python -m scripts.record_demo

The turns below are what a model would do with the sample issue, including one mistake. They go through the
real loop and the real protocol, and the log of that run is stored.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import bot.demo.run as demo
from bot.log.events import Entry, PhaseStarted
from bot.storage.database import connect
from bot.storage.store import Store
from runners.models.chat import Reply, TokenUsage
from tests.standins.chat_server import ChatServer, call

TARGET = Path(demo.__file__).parent / "recording.jsonl"

SPECIFICATION = """\
{"name": "Receipt at checkout",
 "narrative": {"as_a": "customer", "i_want": "to see what delivery costs", "so_that": "I know what I will pay"},
 "scenarios": [
  {"name": "Delivery is charged below 50 euros", "steps": [
    {"keyword": "Given", "text": "a cart with \\"Emma\\" for 49.99 euros"},
    {"keyword": "When", "text": "I check out"},
    {"keyword": "Then", "text": "delivery costs 4.90 euros"},
    {"keyword": "And", "text": "I pay 54.89 euros"}]},
  {"name": "Delivery is free from 50 euros on", "steps": [
    {"keyword": "Given", "text": "a cart with \\"Emma\\" for 50.00 euros"},
    {"keyword": "When", "text": "I check out"},
    {"keyword": "Then", "text": "delivery costs 0.00 euros"},
    {"keyword": "And", "text": "I pay 50.00 euros"}]},
  {"name": "Vouchers are taken off before the limit is checked", "steps": [
    {"keyword": "Given", "text": "a cart with \\"Emma\\" for 52.00 euros"},
    {"keyword": "And", "text": "I redeem the voucher \\"WELCOME5\\" in it"},
    {"keyword": "When", "text": "I check out"},
    {"keyword": "Then", "text": "delivery costs 4.90 euros"},
    {"keyword": "And", "text": "I pay 51.90 euros"}]},
  {"name": "An empty cart costs nothing", "steps": [
    {"keyword": "Given", "text": "an empty cart"},
    {"keyword": "When", "text": "I check out"},
    {"keyword": "Then", "text": "delivery costs 0.00 euros"},
    {"keyword": "And", "text": "I pay 0.00 euros"}]}],
 "questions": []}
"""

# Held-out examples, which the implementing model never sees.
EXAMPLES = """\
{"examples": [
  {"scenario": "Delivery is charged below 50 euros", "steps": [
    {"keyword": "Given", "text": "a cart with \\"Emma\\" for 12.50 euros"},
    {"keyword": "When", "text": "I check out"},
    {"keyword": "Then", "text": "delivery costs 4.90 euros"},
    {"keyword": "And", "text": "I pay 17.40 euros"}]},
  {"scenario": "Delivery is free from 50 euros on", "steps": [
    {"keyword": "Given", "text": "a cart with \\"Emma\\" for 61.30 euros"},
    {"keyword": "When", "text": "I check out"},
    {"keyword": "Then", "text": "delivery costs 0.00 euros"},
    {"keyword": "And", "text": "I pay 61.30 euros"}]},
  {"scenario": "Vouchers are taken off before the limit is checked", "steps": [
    {"keyword": "Given", "text": "a cart with \\"Emma\\" for 54.99 euros"},
    {"keyword": "And", "text": "I redeem the voucher \\"WELCOME5\\" in it"},
    {"keyword": "When", "text": "I check out"},
    {"keyword": "Then", "text": "delivery costs 4.90 euros"},
    {"keyword": "And", "text": "I pay 54.89 euros"}]}]}
"""

CHECKOUT = '''\
"""The receipt a customer sees before paying."""

from dataclasses import dataclass
from decimal import Decimal

from shop.cart import Cart

DELIVERY = Decimal("4.90")
FREE_FROM = Decimal("50.00")
NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class Receipt:
    goods: Decimal
    delivery: Decimal

    @property
    def total(self) -> Decimal:
        """What the customer pays."""
        return self.goods + self.delivery


def checkout(cart: Cart) -> Receipt:
    """The receipt for a cart; delivery is free for large orders and for empty carts."""
    goods = cart.total()
    free = not cart.books or goods > FREE_FROM
    return Receipt(goods=goods, delivery=NOTHING if free else DELIVERY)
'''

STEPS = """\
from decimal import Decimal

from behave import given, then, when

from shop.cart import Cart
from shop.checkout import checkout


@given("an empty cart")
def empty_cart(context):
    context.cart = Cart()


@given('I redeem the voucher "{code}" in it')
def redeem_in_it(context, code):
    context.cart.redeem(code)


@when("I check out")
def check_out(context):
    context.receipt = checkout(context.cart)


@then("delivery costs {amount} euros")
def delivery_costs(context, amount):
    assert context.receipt.delivery == Decimal(amount), f"delivery costs {context.receipt.delivery}"


@then("I pay {amount} euros")
def pay(context, amount):
    assert context.receipt.total == Decimal(amount), f"the total is {context.receipt.total}"
"""

TESTS = """\
from decimal import Decimal

import pytest

from shop.cart import Cart
from shop.catalogue import book
from shop.checkout import checkout


@pytest.mark.parametrize(
    ("price", "delivery"), [("0.01", "4.90"), ("49.99", "4.90"), ("50.00", "0.00"), ("80.00", "0.00")]
)
def test_delivery_depends_on_the_price_of_the_goods(price, delivery):
    cart = Cart()
    cart.add(book("Emma", price))
    assert checkout(cart).delivery == Decimal(delivery)


def test_goods_that_vouchers_pay_for_are_delivered_for_the_usual_price():
    cart = Cart()
    cart.add(book("Emma", "4.00"))
    cart.redeem("WELCOME5")
    assert checkout(cart).total == Decimal("4.90")
"""

SUMMARY = (
    "Adds shop/checkout.py with checkout(cart), which gives a receipt with goods, delivery and total. "
    "Delivery is free from 50 euros on, after vouchers, and for an empty cart. "
    "A cart whose goods are fully paid by vouchers still pays for delivery: the issue does not say otherwise."
)


def turns() -> list[Reply]:
    """Return the turns of implement: read, write, test, see the mistake, correct it, test, finish."""
    calls = [
        (
            "I will look at the cart first.",
            [
                call("read_file", path="shop/cart.py"),
                call("read_file", path="features/steps/cart_steps.py"),
                call("read_file", path="AGENTS.md"),
            ],
        ),
        (
            "The receipt gets a module of its own.",
            [
                call("write_file", path="shop/checkout.py", content=CHECKOUT),
                call("write_file", path="features/steps/checkout_steps.py", content=STEPS),
            ],
        ),
        ("", [call("run_tests")]),
        (
            "The limit itself is included: 50 euros or more.",
            [call("edit_file", path="shop/checkout.py", old="goods > FREE_FROM", new="goods >= FREE_FROM")],
        ),
        (
            "Now tests in the repository's own style.",
            [call("write_file", path="tests/test_checkout.py", content=TESTS), call("run_tests")],
        ),
        ("", [call("finish", summary=SUMMARY)]),
    ]
    prompt = 2600
    replies = []
    for text, made in calls:
        completion = sum(len(item.arguments) for item in made) // 4 + 20
        usage = TokenUsage(prompt_tokens=prompt, completion_tokens=completion)
        replies.append(Reply(text=text, tool_calls=tuple(made), usage=usage, stop="tools", model="scripted"))
        prompt += completion + 400
    return replies


def _anonymous(entry: Entry) -> Entry:
    """Return the entry without the name of this machine's worker."""
    if not isinstance(entry.event, PhaseStarted):
        return entry
    return entry.model_copy(update={"event": entry.event.model_copy(update={"worker": "worker"})})


def main() -> int:
    usage = TokenUsage(prompt_tokens=1400, completion_tokens=480)
    specify = Reply(text=SPECIFICATION, usage=usage, model="scripted")
    with ChatServer([specify], turns()) as server, tempfile.TemporaryDirectory() as tmp:
        server.examples = Reply(
            text=EXAMPLES, usage=TokenUsage(prompt_tokens=900, completion_tokens=420), model="scripted"
        )
        keep = Path(tmp) / "state"
        status = demo.run_demo(demo.DemoOptions(runtime="vllm", model_url=server.url, keep=keep))
        if status != 0:
            return status
        store = Store(connect(f"sqlite:///{keep / 'scenarist.db'}"))
        run = store.list_runs()[0]
        lines = [_anonymous(entry).model_dump_json() for entry in store.entries(run.id)]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} events recorded")
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyError):
        del os.environ["SCENARIST_RUNTIME"]
    sys.exit(main())
