"""From a stored delivery to what the bot does about it.

`decisions/` says what follows from an event; the files here store deliveries and carry decisions out."""
