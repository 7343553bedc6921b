from decimal import Decimal

import pytest

from shop.vouchers import UnknownVoucher, voucher_value


def test_a_known_voucher_has_a_value():
    assert voucher_value("WELCOME5") == Decimal("5.00")


def test_an_unknown_voucher_is_refused():
    with pytest.raises(UnknownVoucher):
        voucher_value("FREE")
