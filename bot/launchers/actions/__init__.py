"""Runs in jobs of GitHub Actions, on the self-hosted runners of their repositories.

`launcher.py` starts and follows the jobs, through the workflow that the repository has for them."""
