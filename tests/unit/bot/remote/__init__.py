"""Tests of runs that are worked on over HTTP."""
