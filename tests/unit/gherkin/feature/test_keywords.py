"""Which language a text is in, and what behave is configured to read."""

import pytest

from gherkin.feature.behave_config import configured_language
from gherkin.feature.keywords import language_of
from gherkin.feature.model import FeatureInvalid, parse, render
from gherkin.feature.strict import read

GERMAN = """Funktionalität: Versand

  Szenario: Große Bestellungen
    Angenommen ein Warenkorb für 50 Euro
    Wenn ich bestelle
    Dann kostet der Versand 0 Euro
"""
ITALIAN = """Funzionalità: Spedizione

  Scenario: Ordini grandi
    Dato un carrello da 50 euro
    Quando ordino
    Allora la spedizione costa 0 euro
"""
ENGLISH = "Feature: x\n\n  Scenario: y\n    When z\n    Then 3\n"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (GERMAN, "de"),
        (GERMAN.partition("\n")[2], "de"),
        (ITALIAN, "it"),
        (ENGLISH, None),
        ("Scenario: y\n  When z\n", None),
        ("# language: de\n" + GERMAN, None),
        ("Wenn es regnet, dann nicht.", None),
        ("", None),
    ],
)
def test_the_keywords_tell_the_language(text: str, language: str | None) -> None:
    assert language_of(text) == language


def test_a_feature_in_a_language_that_nothing_names_is_told_what_to_write() -> None:
    with pytest.raises(FeatureInvalid, match=r"line 1: the keywords are German: write “# language: de”"):
        parse(GERMAN, "f.feature")
    assert parse(GERMAN, "f.feature", "de").language == "de"


def test_a_feature_says_its_language_where_behave_is_configured_for_another() -> None:
    english = parse(ENGLISH, "f.feature")
    assert render(english) == ENGLISH
    written = render(english, "de")
    assert written.startswith("# language: en\n")
    assert read(written, "de").scenarios[0].name == "y"
    german = parse(GERMAN, "f.feature", "de")
    assert parse(render(german, "de"), "f.feature") == german


@pytest.mark.parametrize(
    ("files", "language"),
    [
        ({"behave.ini": "[behave]\nlang = de\n"}, "de"),
        ({"setup.cfg": "[behave]\nlang=fr\n"}, "fr"),
        ({"tox.ini": "[tox]\nenvlist = py\n[behave]\nlang: ja\n"}, "ja"),
        ({"pyproject.toml": '[tool.behave]\nlang = "es"\n'}, "es"),
        ({"behave.ini": "[behave]\nlang = en\n"}, None),
        ({"behave.ini": "[behave]\nlang = klingon\n"}, None),
        ({"behave.ini": "no section"}, None),
        ({"pyproject.toml": "tool = 3"}, None),
        ({"pyproject.toml": "not toml"}, None),
        ({}, None),
    ],
)
def test_the_language_that_behave_is_configured_for(files: dict[str, str], language: str | None) -> None:
    assert configured_language(files) == language
