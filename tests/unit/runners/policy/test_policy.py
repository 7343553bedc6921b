import pytest
from pydantic import ValidationError

from runners.policy.capabilities import CAPABILITIES, Grants, Policy
from runners.tools import DOCUMENT_TOOLS, EDIT_TOOLS, FULL_TOOLS, tools_for
from runners.tools.http import http_get

OPEN = Grants(allow=("*",))


def policy(allow: tuple[str, ...] = (), deny: tuple[str, ...] = (), **more: object) -> Policy:
    given = {"role": "full", "operator": OPEN, "repository": Grants(allow=allow, deny=deny), **more}
    return Policy.model_validate(given)


def test_a_role_chooses_the_tools() -> None:
    editor = policy(role="edit")
    assert editor.refusal("shell.run") is None and editor.refusal("http.get", "a.org") is not None
    assert tools_for(editor) == EDIT_TOOLS
    assert tools_for(policy(role="full")) == FULL_TOOLS
    assert tools_for(editor, documents=True) == (*EDIT_TOOLS, *DOCUMENT_TOOLS)
    granted = policy(allow=("http.get:a.org",), role="edit")
    assert tools_for(granted) == (*EDIT_TOOLS, http_get)


def test_what_leaves_the_workspace_must_be_granted_by_name() -> None:
    nothing = policy()
    assert nothing.refusal("files.write", "a.py") is None
    assert nothing.refusal("mcp.call", "s/tool") is None, "the operator lists the servers"
    for capability in CAPABILITIES[6:-1]:
        assert "`.scenarist.yml` does not allow" in (nothing.refusal(capability) or "")
    some = policy(allow=("http.get:*.example.com", "database.read:main"))
    assert some.refusal("http.get") is None
    assert some.refusal("http.get", "API.Example.com") is None
    assert some.refusal("http.get", "example.com.evil.org") is not None
    assert some.refusal("http.post", "api.example.com") is not None
    assert some.refusal("database.read", "main") is None
    assert some.refusal("database.read", "other") is not None
    assert some.refusal("database.write", "main") is not None


def test_a_denial_wins() -> None:
    both = policy(allow=("http.get:*", "docker.*"), deny=("http.get:bad.org", "docker.*", "shell.run"))
    assert both.refusal("http.get", "good.org") is None
    assert both.refusal("http.get", "bad.org") == "The repository denies `http.get:bad.org`."
    assert both.refusal("docker.run", "alpine") is not None
    assert "shell" not in {tool.name for tool in tools_for(both)}
    assert "edit_file" in {tool.name for tool in tools_for(both)}


def test_nothing_is_wider_than_the_operator_allows() -> None:
    operator = Grants(allow=("files.*", "http.get:api.example.com"), deny=("files.write:secret/**",))
    bound = policy(allow=("*", "http.get:*", "files.write:secret/**"), operator=operator)
    assert bound.refusal("http.get", "api.example.com") is None
    assert bound.refusal("http.get", "example.org") == "The operator does not allow `http.get:example.org`."
    assert bound.refusal("shell.run") == "The operator does not allow `shell.run`."
    assert bound.write_refusal("secret/a") == "The operator denies `files.write:secret/a`."
    assert bound.write_refusal("open/a") is None


def test_a_protected_path_needs_a_grant_that_names_it() -> None:
    paths = {"protected": (".github/workflows/**", ".scenarist.yml"), "locked": ("features/a.feature",)}
    plain = policy(allow=("files.write",), **paths)
    assert "is protected" in (plain.write_refusal(".github/workflows/ci.yml") or "")
    assert plain.write_refusal("src/a.py") is None
    named = policy(allow=("files.write:.github/workflows/ci.yml", "files.write:features/**"), **paths)
    assert named.write_refusal(".github/workflows/ci.yml") is None
    assert "is protected" in (named.write_refusal(".github/workflows/other.yml") or "")
    assert "is locked" in (named.write_refusal("features/a.feature") or "")
    denied = policy(
        allow=("files.write:.scenarist.yml",),
        operator=Grants(allow=("*",), deny=("files.write:.scenarist.yml",)),
        **paths,
    )
    assert denied.write_refusal(".scenarist.yml") is not None
    # A narrow grant of the operator is not enough: the repository must have asked.
    assert policy(operator=OPEN, **paths).write_refusal(".scenarist.yml") is not None


@pytest.mark.parametrize("pattern", ["shell.runs", "htpp.get:a", "", "files", "root.*"])
def test_a_mistyped_capability_is_named(pattern: str) -> None:
    with pytest.raises(ValidationError, match=r"is no capability; they are files\.read"):
        Grants(allow=(pattern,))
