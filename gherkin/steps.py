"""WALKING VERSION."""


def catalogue(files: object) -> list[str]:
    return []


def describe(defs: object, limit: int) -> str:
    return ""


def assertionless(source: str) -> list[tuple[str, int]]:
    return []
