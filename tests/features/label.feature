Feature: From a label to a pull request
  A maintainer labels an issue and reviews the result; everything in between is the bot's.

  Rule: A labelled issue becomes a pull request with proof

    Scenario: The model implements what the issue asks for
      Given an issue "Double numbers" that asks for doubling
      And a model that implements doubling
      When a maintainer labels the issue
      Then a pull request is opened that closes the issue
      And it shows that "Doubling" failed before and passes after
      And its check run has succeeded
      And the status comment says "opened #"
      And there is one status comment

    Scenario: Scenarios written in the issue are taken as they are
      Given an issue with its own scenario
      And a model that implements doubling
      When a maintainer labels the issue
      Then a pull request is opened that closes the issue
      And the model was not asked for scenarios

    Scenario: A slip is found by the verification and mended by the model
      Given an issue "Double numbers" that asks for doubling
      And a model that gets doubling wrong at first
      When a maintainer labels the issue
      Then a pull request is opened that closes the issue
      And the verification failed once before

  Rule: Only people with rights start anything

    Scenario: Somebody without write access sets the label
      Given an issue "Double numbers" that asks for doubling
      When a reader labels the issue
      Then no run begins, and the bot says why in one comment

    Scenario: Another label is set
      Given an issue "Double numbers" that asks for doubling
      When a maintainer labels the issue "bug"
      Then nothing happens

  Rule: A request is granted once

    Scenario: The forge delivers the same event again
      Given an issue "Double numbers" that asks for doubling
      And a model that implements doubling
      When a maintainer labels the issue
      And the forge delivers that event twice more
      Then a pull request is opened that closes the issue
      And there is one run and one pull request
      And there is one status comment

  Rule: Without proof there is at most a draft that says so

    Scenario: The tests never pass
      Given an issue "Double numbers" that asks for doubling
      And a model that never gets doubling right
      When a maintainer labels the issue
      Then a draft is opened that says that it is not proven
      And the status comment says "gave up"
      And the status comment says "does not pass with the change"
      And the unfinished work is kept with the run

    Scenario: The model weakens an existing test
      Given an issue "Double numbers" that asks for doubling
      And a model that deletes a test that is in its way
      When a maintainer labels the issue
      Then no pull request is opened
      And the status comment says "was deleted"

    Scenario: The issue says nothing
      Given an issue "Help" without a text
      When a maintainer labels the issue
      Then no pull request is opened
      And the status comment says "is waiting for an answer"
      And a comment of its own asks "@ada" for an answer
      And the model was not asked for scenarios

  Rule: Reviews are answered by a revision

    Scenario: A reviewer asks for a change
      Given an issue "Double numbers" that asks for doubling
      And a model that implements doubling
      And a pull request that was opened for it
      When a developer asks in a review to name the number "value"
      Then a new commit is pushed on top
      And the review thread is answered once
      And there is one pull request
