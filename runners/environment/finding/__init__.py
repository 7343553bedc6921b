"""What a repository says about its environment: its Python, its dependencies and the commands of its own
tools.

Everything here only reads files of one commit; nothing is run.
"""
