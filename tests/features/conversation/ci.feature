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

  Scenario: A repair that gives up leaves its work
    Given a model that changes the code and gives up with "Text cannot be doubled."
    When the CI job "types" fails with "TypeError: double('a') is not supported"
    Then no new commit is on the pull request
    And the status comment of the pull request says "gave up"
    And the status comment of the pull request says "Text cannot be doubled."
    And the status comment of the pull request says "+    return n + n"
    And the status comment of the pull request says "Say in a new review"

  Scenario: The job fails without the change too
    Given the CI job "nightly" fails on main
    When the CI job "nightly" fails with "AssertionError: old trouble"
    Then the bot says that "nightly" is left alone
    And no new commit is on the pull request

  Scenario: The machine of the job failed
    When the CI job "test" fails with "write error: No space left on device"
    Then the bot says that "test" is left alone
    And no new commit is on the pull request
