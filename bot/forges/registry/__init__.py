"""The configured forges: the adapter and the receiver of each, by name.

It is the only place that knows all of them."""
