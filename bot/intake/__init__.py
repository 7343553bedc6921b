"""From delivery to event to decision.

The deciding modules are pure; `deliveries`, `inbox` and `handler` do the I/O."""
