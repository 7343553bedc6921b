import pytest

from runners.policy.globs import is_protected, matches


@pytest.mark.parametrize(
    ("glob", "inside", "outside"),
    [
        (".scenarist.yml", [".scenarist.yml"], ["a/.scenarist.yml", "scenarist.yml", "xscenarist.yml"]),
        (
            ".github/workflows/**",
            [".github/workflows/ci.yml", ".github/workflows/a/b"],
            [".github/x", "workflows/a"],
        ),
        ("**/*.feature", ["a.feature", "x/y/a.feature", ".x/a.feature"], ["a.feature.bak", "a.feature/b"]),
        ("features/*.feature", ["features/a.feature"], ["features/x/a.feature", "a.feature"]),
        ("a/**/b/**/c", ["a/b/c", "a/x/b/y/z/c"], ["a/c", "a/b/x", "b/c"]),
        ("**", ["a", "a/b"], []),
        ("docs/", ["docs/a", "docs/a/b"], ["docs", "docs.md", "x/docs/a"]),
        ("[ab]?.py", ["ax.py"], ["cx.py", "a/.py"]),
        ("./x", ["x"], ["y"]),
    ],
)
def test_globs(glob: str, inside: list[str], outside: list[str]) -> None:
    assert [path for path in inside if not is_protected(path, [glob])] == []
    assert [path for path in outside if is_protected(path, [glob])] == []


def test_any_of_several() -> None:
    assert is_protected("b", ["a", "b"])
    assert not is_protected("c", ["a", "b"])
    assert not is_protected("c", [])


def test_a_hostile_pattern_is_not_slow() -> None:
    # Either would take longer than the age of the universe by backtracking.
    assert not matches("/".join("a" * 200), "/".join(["**", "a"] * 60) + "/b")
    assert not matches("a" * 200, "*a" * 60 + "b")
