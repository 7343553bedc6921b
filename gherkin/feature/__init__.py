"""The feature file: model, strict reading, printing, steps and their checks.

behave's own parser decides what a feature means."""
