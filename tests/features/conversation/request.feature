@conversation
Feature: An issue becomes a pull request
  Somebody with rights asks with a label; the bot asks back where it must.

  Scenario: From a label to a pull request
    Given an issue of the conversation
    And a model that implements doubling
    When a developer sets the label "agent:implement"
    Then a pull request is open for it
    And it proves its scenario

  Scenario: A reader sets the label
    Given an issue of the conversation
    When a reader sets the label "agent:implement"
    Then there is no run for it
    And the bot says why, once

  Scenario: A question and its answer
    Given an issue of the conversation without a text
    When a developer sets the label "agent:implement"
    Then the bot asks the developer for an answer
    Given a model that implements doubling
    When a developer answers "It should double numbers: 4 becomes 8."
    Then a pull request is open for it
    And the model was told "It should double numbers: 4 becomes 8."

  Scenario: Scenarios wait for an approval
    Given an issue of the conversation
    And a model that implements doubling
    When a developer sets the label "agent:spec"
    Then the bot asks the developer for an approval
    When a developer answers "/agent approve"
    Then a pull request is open for it

  Scenario: Stopped in the middle
    Given an issue of the conversation
    And a model that waits until somebody comments "/agent cancel"
    When a developer sets the label "agent:implement"
    Then its status comment says "was cancelled"
    And there is no pull request for it

  Scenario: Two bots do not talk for ever
    Given an issue of the conversation without a text
    When a developer sets the label "agent:implement"
    Then the bot asks the developer for an answer
    When the bot's own comment is delivered, and one of another bot
    Then there is one run for it
