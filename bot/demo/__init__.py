"""`scenarist demo`: a sample project, an issue, and the whole way to its pull request on one machine."""
