"""The table of what a repository's files are for."""

import pytest

from runners.verify.rules.purposes import is_judge, purpose_of

PURPOSES = {
    "feature": ["features/a.feature", "web/login.feature", ".scenarist/shadow/a.feature"],
    "step": ["features/steps/a.py", ".scenarist/shadow/steps/a.py"],
    "test": [
        *("test_a.py", "pkg/a_test.py", "app/tests.py", "app/tests/test_models.py", "src/a.spec.tsx", "a.test.mjs"),
        *("src/__tests__/a.test.js", "spec/models/user_spec.rb", "src/test/java/AppTest.java", "pkg/a_test.go"),
        *("tests/Unit/UserTest.php", "test/user_test.exs", "cypress/e2e/login.cy.ts", "src/UserTests.cs"),
    ],
    "fixture": [
        *("tests/helpers.py", "tests/data/a.json", "app/tests/__init__.py", "src/__snapshots__/a.snap", "a.ambr"),
        *("features/support.py", "features/data/a.csv", "pkg/testdata/golden.txt", "spec/support/db.rb"),
        *("src/test/resources/a.xml", "src/__mocks__/api.ts", "tests/factories.py"),
    ],
    "configuration": [
        *("pyproject.toml", "conftest.py", "tests/conftest.py", "features/environment.py", "package.json", "Makefile"),
        *(".github/workflows/ci.yml", ".pre-commit-config.yaml", "jest.config.ts", "requirements/dev.txt", "Dockerfile"),
        *("CODEOWNERS", "AGENTS.md", ".gitignore", "go.mod", "uv.lock"),
    ],
    "documentation": ["README.md", "docs/guide.rst", "docs/logo.png", "LICENSE", "pkg/README.md", "CHANGELOG.txt"],
    "product": [
        *("calc.py", "src/pkg/a.py", "src/pkg/data.txt", "src/pkg/mail.md", "LICENSE.py", "docs/example.py"),
        *("pkg/testing.py", "src/app.tsx", "openapi/spec/model.py", "contest.py", "latest.go", "environment.py"),
        *("robots.txt", "src/main/java/App.java"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("purpose", "path"), [(name, path) for name, paths in PURPOSES.items() for path in paths]
)
def test_a_file_has_the_purpose_that_its_path_says(purpose: str, path: str) -> None:
    assert purpose_of(path) == purpose


def test_what_judges_a_change_is_tests_and_all_that_helps_them() -> None:
    judges = [*PURPOSES["test"], *PURPOSES["feature"], *PURPOSES["step"], *PURPOSES["fixture"], "conftest.py"]
    others = [*PURPOSES["product"], *PURPOSES["documentation"], "pyproject.toml"]
    assert all(map(is_judge, judges)) and not any(map(is_judge, others))


def test_the_features_lie_where_the_repository_says() -> None:
    assert purpose_of("acceptance/steps/a.py", "acceptance") == "step"
    assert purpose_of("acceptance/environment.py", "acceptance") == "configuration"
    assert purpose_of("acceptance/steps/a.py") == "product"
