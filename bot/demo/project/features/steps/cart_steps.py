from decimal import Decimal

from behave import given, then, when

from shop.cart import Cart
from shop.catalogue import book


@given('a cart with "{title}" for {price} euros')
def cart_with(context, title, price):
    context.cart = Cart()
    context.cart.add(book(title, price))


@given('the cart also holds "{title}" for {price} euros')
def cart_also_holds(context, title, price):
    context.cart.add(book(title, price))


@when("I look at the cart")
def look(context):
    context.total = context.cart.total()


@when('I redeem the voucher "{code}"')
def redeem(context, code):
    context.cart.redeem(code)
    context.total = context.cart.total()


@then("the total is {amount} euros")
def total_is(context, amount):
    assert context.total == Decimal(amount), f"the total is {context.total}"
