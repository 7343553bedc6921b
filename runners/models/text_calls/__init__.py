"""Calls that a model writes as text, by kind of format: `tags`, `tokens`, `json_calls` and `plain`.

`formats` looks for them, `lenient` reads damaged JSON, and `shown` tells what is only quoted or thought.
"""
