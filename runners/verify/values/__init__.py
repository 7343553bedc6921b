"""Other values in the place of those that a step names: in which ways they differ, and how one of them is
written."""
