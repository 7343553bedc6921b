"""Which test files can reach a changed module."""

from pathlib import Path

import pytest

from runners.verify.gate.reach import reaching

FILES = {
    "src/shop/__init__.py": "",
    "src/shop/cart.py": "from . import prices\n",
    "src/shop/prices.py": "VAT = 19\n",
    "src/shop/mail.py": "import smtplib\n",
    "src/shop/broken.py": "def f(:\n",
    "tests/helpers.py": "import shop.cart\n",
    "tests/test_cart.py": "from shop.cart import Cart\n",
    "tests/test_mail.py": "from shop import mail\n",
    "tests/test_helped.py": "from tests import helpers\n",
    "tests/test_process.py": "import subprocess\n",
    "tests/test_other.py": "import json\n",
    "more/conftest.py": "import shop.prices\n",
    "more/test_more.py": "def test_more(): pass\n",
}
TESTS = [path for path in FILES if path.rpartition("/")[2].startswith("test_")]


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ("src/shop/prices.py", {"cart", "helped", "process", "more"}),
        ("src/shop/mail.py", {"mail", "process"}),
        ("src/shop/__init__.py", {"cart", "mail", "helped", "process", "more"}),
        ("tests/helpers.py", {"helped", "process"}),
    ],
)
def test_imports_are_followed(tmp_path: Path, changed: str, names: set[str]) -> None:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = reaching(tmp_path, [changed], TESTS, list(FILES))
    assert {path.rpartition("test_")[2].removesuffix(".py") for path in found} == names


def test_a_test_that_is_no_known_file_counts(tmp_path: Path) -> None:
    assert reaching(tmp_path, ["a.py"], ["docs/guide.rst"], []) == ["docs/guide.rst"]
