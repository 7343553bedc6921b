"""What follows from an event: a run, an answer, a change to a run, or nothing, each as a value.

They ask the forge and the store at the moment of use, and write nothing."""
