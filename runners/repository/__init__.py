"""What a repository says about itself, read from one commit: its rules for contributors, its changelog,
and where the code and the documents speak of the names in an issue."""
