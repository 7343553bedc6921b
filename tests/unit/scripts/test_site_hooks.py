"""What the site makes of a page's links and lists."""

from types import SimpleNamespace

import pytest

from scripts.site_hooks import on_page_markdown


def shown(text: str, page: str = "github.md") -> str:
    return on_page_markdown(text, page=SimpleNamespace(file=SimpleNamespace(src_uri=page)))


@pytest.mark.parametrize(
    ("page", "link", "target"),
    [
        ("github.md", "[x](models.md#roles)", "[x](models.md#roles)"),
        ("github.md", "[x](examples/README.md)", "[x](examples/README.md)"),
        ("gitlab.md", "[x](../ci/scenarist.gitlab-ci.yml)", "[x](repository/ci/scenarist.gitlab-ci.yml.txt)"),
        ("examples/README.md", "[x](../github.md)", "[x](../github.md)"),
        ("index.md", "[x](docs/github.md)", "[x](github.md)"),
        ("index.md", "[x](CONTRIBUTING.md)", "[x](contributing.md)"),
        ("github.md", "[x](https://a.example/b)", "[x](https://a.example/b)"),
        ("github.md", "[x](nowhere.md)", "[x](nowhere.md)"),
        ("prompts.md", "[`x`](../tests/unit/runners)", "[`x`]"),
    ],
)
def test_links_stay_within_the_site(page: str, link: str, target: str) -> None:
    assert shown(link, page) == target


def test_a_list_gets_the_empty_line_that_it_needs() -> None:
    assert shown("It has\n* a\n* b\n") == "It has\n\n* a\n* b\n"
    assert shown("```\nIt has\n* a\n```\n") == "```\nIt has\n* a\n```\n"
    assert shown("* a\n  more\n* b\n") == "* a\n  more\n* b\n"
