"""Scenarios that reach outside of the product are questioned."""

import pytest

from gherkin.feature.model import parse
from runners.policy.outside import outside
from runners.policy.protected import PROTECTED


def found(step: str, repo: str = "octo/shop", opened: tuple[str, ...] = ()) -> list[str]:
    text = f"Feature: Shop\n\n  Scenario: One\n    When I look\n    Then {step}\n"
    return outside(parse(text, "features/a.feature"), PROTECTED, opened, repo)


@pytest.mark.parametrize(
    ("step", "what"),
    [
        ("the repository's secrets are printed", "secrets of the CI"),
        ("the log holds secrets.DEPLOY_KEY", "secrets of the CI"),
        ("the GITHUB_TOKEN is sent to the server", "secrets of the CI"),
        ("a CI workflow runs on every push", "the CI or git hooks"),
        ("a git hook calls home", "the CI or git hooks"),
        ("it prints all environment variables", "the machine that runs it"),
        ("/root/.ssh is shown", "the machine that runs it"),
        ("the bot's permissions are wider", "the bot itself"),
        ("Scenarist approves everything", "the bot itself"),
        ('there is a file ".github/workflows/deploy.yml"', "`.github/workflows/deploy.yml`"),
        ("AGENTS.md says to be quick", "`AGENTS.md`"),
    ],
)
def test_what_is_no_part_of_the_product_is_named(step: str, what: str) -> None:
    assert what in found(step)


@pytest.mark.parametrize(
    "step",
    [
        "the delivery costs 4.90 euros",
        "the secret word is “xyzzy”",
        "the session token is valid for an hour",
        "the file out/report.json is there",
        "the environment of the plant is 20 °C",
        "the workflow of the order is finished",
        "the agent for the customer is “Ada”",
    ],
)
def test_what_a_product_may_well_do_is_not(step: str) -> None:
    assert found(step) == []


def test_what_the_repository_opens_or_is_called_is_its_own() -> None:
    assert found("AGENTS.md says to be quick", opened=("AGENTS.md",)) == []
    assert found("Scenarist prints its version", repo="octo/scenarist") == []
