@conversation
Feature: The target branch moves on
  A pull request is brought up to date when a person asks for it or the repository wants it, and proven again.

  Background:
    Given a pull request of the bot

  Scenario: Without conflicts
    Given somebody pushes "other.py" to main
    When a developer comments "/agent rebase" on the pull request
    Then the pull request has everything of main
    And it still proves its scenario
    And the model was not asked

  Scenario: The model resolves the conflict
    Given somebody pushes another function at the end of "calc.py" to main
    And a model that resolves the conflict
    When a developer comments "/agent rebase" on the pull request
    Then the pull request has everything of main
    And it still proves its scenario
    And it has no conflict markers

  Scenario: The model leaves the conflict
    Given somebody pushes another function at the end of "calc.py" to main
    And a model that leaves the conflict as it is
    When a developer comments "/agent rebase" on the pull request
    Then no new commit is on the pull request
    And the status comment of the pull request says "Conflict markers are left in"

  Scenario: By itself, without conflicts
    Given a pull request of the bot that is kept up to date
    When somebody pushes "other.py" to main
    Then the pull request has everything of main
    And it still proves its scenario
    And the model was not asked

  Scenario: By itself, with a conflict that the model resolves
    Given a pull request of the bot that is kept up to date
    And a model that resolves the conflict
    When somebody pushes another function at the end of "calc.py" to main
    Then the pull request has everything of main
    And it still proves its scenario
    And it has no conflict markers
