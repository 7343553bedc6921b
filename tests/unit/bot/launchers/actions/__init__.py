"""Tests of runs in GitHub Actions."""
