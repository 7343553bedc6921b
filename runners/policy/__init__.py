"""Policy: which role may call which tool, within which quota, and the audit trail.

Secrets and control characters are removed here too."""
