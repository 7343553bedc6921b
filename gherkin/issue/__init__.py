"""The issue: its story, kind, quality and size.

Reads Markdown as people write it."""
