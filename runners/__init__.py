"""Does the work of one phase, beside untrusted code; holds no write credential.

Imports `gherkin`, never `bot`."""
