from decimal import Decimal

from shop.cart import Cart
from shop.catalogue import book


def test_an_empty_cart_costs_nothing():
    assert Cart().total() == Decimal("0.00")


def test_books_add_up():
    cart = Cart()
    cart.add(book("Emma", "12.50"))
    cart.add(book("Ulysses", "20.00"))
    assert cart.total() == Decimal("32.50")


def test_the_total_never_falls_below_zero():
    cart = Cart()
    cart.add(book("Emma", "4.00"))
    cart.redeem("SUMMER10")
    assert cart.total() == Decimal("0.00")
