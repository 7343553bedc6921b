"""What webhooks and pages share of HTTP: reading forms, security headers, refusals."""
