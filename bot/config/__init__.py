"""Configuration: process settings, the operator's files and a repository's `.scenarist.yml`.

Everything is read and checked here; the other rooms get frozen values."""
