@conversation
Feature: The repository's own CI fails
  The bot repairs what its change broke, and leaves alone what it did not break.

  Background:
    Given a pull request of the bot

  Scenario: Red, then green
    Given a model that makes doubling work for text too
    When the CI job "types" fails with "TypeError: double('a') is not supported"
    Then the model is shown "TypeError: double('a') is not supported"
    And a new commit is on the pull request
    When the CI job "types" passes
    Then nothing more is done

  Scenario: The job fails without the change too
    Given the CI job "nightly" fails on main
    When the CI job "nightly" fails with "AssertionError: old trouble"
    Then the bot says that "nightly" is left alone
    And no new commit is on the pull request

  Scenario: The machine of the job failed
    When the CI job "test" fails with "write error: No space left on device"
    Then the bot says that "test" is left alone
    And no new commit is on the pull request
