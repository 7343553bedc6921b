"""Hears events, decides, reports; holds the credentials and never runs repository code."""

__version__ = "0.1.0"
