"""What the page of one run shows, computed from the run's log: plain values that a template prints.

Nothing here is escaped: the templates do that."""
