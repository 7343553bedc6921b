"""Other values for those that a step names: in which ways they differ, and how each is written."""
