"""The customer's cart."""

from decimal import Decimal

from shop.catalogue import Book
from shop.vouchers import voucher_value


class Cart:
    """Books a customer wants to buy, and the vouchers they hold."""

    def __init__(self) -> None:
        self._books: list[Book] = []
        self._discount = Decimal("0.00")

    @property
    def books(self) -> tuple[Book, ...]:
        """The books in the order they were put in."""
        return tuple(self._books)

    def add(self, book: Book) -> None:
        """Put a book into the cart."""
        self._books.append(book)

    def redeem(self, code: str) -> None:
        """Redeem a voucher; an unknown code raises `UnknownVoucher`."""
        self._discount += voucher_value(code)

    def total(self) -> Decimal:
        """The price of all books less the vouchers, never below zero."""
        goods = sum((book.price for book in self._books), Decimal("0.00"))
        return max(goods - self._discount, Decimal("0.00"))
