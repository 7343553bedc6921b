"""What a phase is given and what it gives back: job, work order, limits, budget and events.

Frozen values that are stored and sent between machines."""
