"""What the shop sells."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Book:
    title: str
    price: Decimal


def book(title: str, price: str) -> Book:
    """A book at `price` euros."""
    return Book(title, Decimal(price))
