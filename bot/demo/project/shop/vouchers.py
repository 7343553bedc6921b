"""Vouchers and their values."""

from decimal import Decimal

VOUCHERS = {"WELCOME5": Decimal("5.00"), "SUMMER10": Decimal("10.00")}


class UnknownVoucher(ValueError):
    """The shop never issued a voucher with this code."""


def voucher_value(code: str) -> Decimal:
    """The value of a voucher in euros."""
    try:
        return VOUCHERS[code]
    except KeyError:
        raise UnknownVoucher(code) from None
