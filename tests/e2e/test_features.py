"""The bot's own acceptance: its features, by behave; the conversation on the stand-ins of GitHub and GitLab, too."""

import subprocess
import sys

import pytest

ROOT = "tests/features"


# Each of them is one bot that has many conversations, one after another.
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("forge", "features"),
    [("github", f"{ROOT}/conversation"), ("gitlab", f"{ROOT}/conversation"), ("local", ROOT)],
)
def test_the_features_hold(request: pytest.FixtureRequest, forge: str, features: str) -> None:
    options = ["-D", f"forge={forge}", "--no-color", "--no-source", "--format", "progress3"]
    done = subprocess.run(
        [sys.executable, "-m", "behave", *options, features],
        cwd=request.config.rootpath,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "0 features passed" not in done.stdout and " 0 failed" in done.stdout
