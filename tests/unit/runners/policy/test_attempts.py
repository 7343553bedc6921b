"""What a model tried that it may not is named in words for a maintainer."""

import pytest

from runners.policy.attempts import attempt


@pytest.mark.parametrize(
    ("capability", "arguments", "text", "denied", "words"),
    [
        ("files.read", "{}", "`/root/x` is outside the workspace. Give …", True, ("paths outside of the " 
            "workspace")),
        ("files.write", "{}", "`.git` cannot be reached. Use …", True, "git's own folder"),
        ("files.write", "{}", "`features/a.feature` is locked and must not be changed.", True, "the locked scenarios"),
        ("files.write", "{}", "`.github/workflows/a.yml` is protected and must …", True, "protected files"),
        ("http.get", "{}", "The operator denies `http.get:example.org`.", True, ("`http.get` without " 
            "permission")),
        ("shell.run", '{"command": "cat /proc/self/environ"}', "", False, "print the environment"),
        ("shell.run", '{"command": "printenv"}', "", False, "print the environment"),
        ("shell.run", '{"command": "cp x .git/hooks/pre-commit"}', "", False, "git's own folder"),
        ("shell.run", '{"command": "cat ~/.ssh/id_rsa"}', "", False, "secrets of the machine"),
        ("shell.run", '{"command": "echo on: push > .github/workflows/a.yml"}', "", False, "protected files"),
    ],
)  # fmt: skip
def test_an_attempt_has_words(capability: str, arguments: str, text: str, denied: bool, words: str) -> None:
    assert words in attempt(capability, arguments, text, denied=denied)


@pytest.mark.parametrize(
    ("capability", "arguments"),
    [
        ("shell.run", '{"command": "pytest -q"}'),
        ("shell.run", '{"command": "cat .gitignore; env X=1 python a.py"}'),
        ("shell.run", '{"command": "cat .github/workflows/ci.yml"}'),
        ("files.read", '{"path": ".github/workflows/ci.yml"}'),
    ],
)
def test_a_call_in_order_is_no_attempt(capability: str, arguments: str) -> None:
    assert attempt(capability, arguments, "fine", denied=False) == ""
