"""What a repository says about itself, read from one commit.

This is its rules for contributors, its changelog, and where code and documents mention the names in an issue.
"""
