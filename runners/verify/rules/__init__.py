"""Rules of the gate that need no run: what a file is for, and what a change does to tests and configuration.

Each is a pure function of paths, texts or one commit's tree; `look.py` applies them to a change.
"""
