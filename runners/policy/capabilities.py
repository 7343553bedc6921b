"""Capabilities: what a role and the repository allow a model's tools, within what the operator allows.

A capability is ``family.action``. Its resource is the object it is used on: a path, a host, a database's
name, an image, an MCP server's tool. A grant or a denial is a pattern of both: ``http.get:api.example.com``,
``files.write:docs/**``, ``docker.*``. A pattern without a resource means every resource.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gherkin.values import Frozen
from runners.policy.globs import is_protected, matches

# The roles differ in the number of their tools. Both need a grant for what leaves the workspace.
Role = Literal["edit", "full"]

CAPABILITIES = (
    "files.read",
    "files.write",
    "git.read",
    "git.write",
    "shell.run",
    "tests.run",
    "http.get",
    "http.head",
    "http.post",
    "http.put",
    "http.patch",
    "http.delete",
    "database.read",
    "database.write",
    "docker.build",
    "docker.run",
    "mcp.call",
)
# Capabilities that need no grant of the repository: they stay within the workspace, or the operator's models
# file grants them (MCP servers).
_WITHIN = ("files.read", "git.read", "files.write", "git.write", "shell.run", "tests.run", "mcp.call")


def _known(pattern: str) -> str:
    action = pattern.partition(":")[0]
    if not any(fnmatchcase(capability, action) for capability in CAPABILITIES):
        raise ValueError(f"`{action}` is no capability; they are {', '.join(CAPABILITIES)}")
    return pattern


Pattern = Annotated[str, Field(max_length=500), AfterValidator(_known)]


class Grants(Frozen):
    """Patterns of what is allowed and what is denied; a denial wins."""

    allow: tuple[Pattern, ...] = Field(default=(), description="Patterns such as `http.get:api.example.com`.")
    deny: tuple[Pattern, ...] = Field(default=(), description="Patterns such as `shell.run`; a denial wins.")


class Policy(Frozen):
    """What one model may do in one phase.

    `repository` comes from the default branch's `.scenarist.yml`. It can grant everything that leaves the
    workspace, which no role has by itself, and deny the rest. `operator` limits all of that: what none of its
    patterns allows is refused. `protected` are globs of paths that a model may write only with
    a grant ``files.write:GLOB``, and `locked` are globs of paths that it may never write.
    """

    role: Role = "edit"
    repository: Grants = Grants()
    operator: Grants = Grants(allow=("*",))
    protected: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()

    def refusal(self, capability: str, resource: str | None = None) -> str | None:
        """Return in a sentence why `capability` may not be used on `resource`; None if it may.

        Without a resource, None means that it may be used on at least one.
        """
        wanted = capability if resource is None else f"{capability}:{resource}"
        for who, grants in (("operator", self.operator), ("repository", self.repository)):
            if _matched(grants.deny, capability, resource, any_resource=False):
                return f"The {who} denies `{wanted}`."
        if not _matched(self.operator.allow, capability, resource, any_resource=True):
            return f"The operator does not allow `{wanted}`."
        granted = capability in _WITHIN or _matched(
            self.repository.allow, capability, resource, any_resource=True
        )
        return None if granted else f"The repository's `.scenarist.yml` does not allow `{wanted}`."

    def write_refusal(self, path: str) -> str | None:
        """Return why the file `path` may not be written; None if it may.

        `path` is relative to the workspace, with links resolved.
        """
        if is_protected(path, self.locked):
            return f"`{path}` is locked and must not be changed."
        if is_protected(path, self.protected) and not self.opens(path):
            return f"`{path}` is protected and must not be changed."
        return self.refusal("files.write", path)

    def keeps(self, path: str) -> bool:
        """Return whether neither tools nor commands may change the file `path` from what the base has."""
        if is_protected(path, self.closed):
            return True
        return is_protected(path, self.protected) and not self.opens(path)

    def keeps_all_below(self, folder: str) -> bool:
        """Return whether no file at all may be made below `folder`."""
        if any(each.startswith("files.write:") for each in self.repository.allow):
            return False
        above = [folder, *map(str, PurePosixPath(folder).parents)]
        globs = (each + "**" if each.endswith("/") else each for each in (*self.closed, *self.protected))
        stems = [each.removesuffix("/**") for each in globs if each.endswith("/**")]
        return any(is_protected(each, stems) for each in above)

    @property
    def closed(self) -> tuple[str, ...]:
        """Return the globs of paths that may never be written: the locked ones, and those denied by name."""
        denied = [*self.operator.deny, *self.repository.deny]
        named = [each.partition(":") for each in denied if ":" in each]
        return (*self.locked, *(glob for action, _, glob in named if fnmatchcase("files.write", action)))

    def opens(self, path: str) -> bool:
        """Return whether a grant of the repository names `path` and the operator allows that."""
        named = [p for p in self.repository.allow if p.startswith("files.write:")]
        return _matched(named, "files.write", path, any_resource=False) and not self.refusal(
            "files.write", path
        )


def _matched(patterns: Iterable[str], capability: str, resource: str | None, *, any_resource: bool) -> bool:
    """Return whether one of `patterns` covers the capability and the resource.

    If `resource` is None, patterns that name a resource count only with `any_resource`.
    """
    for pattern in patterns:
        action, _, where = pattern.partition(":")
        if not fnmatchcase(capability, action):
            continue
        if not where or (any_resource if resource is None else _fits(capability, resource, where)):
            return True
    return False


def _fits(capability: str, resource: str, where: str) -> bool:
    if capability.startswith("files."):
        return matches(resource, where + "**" if where.endswith("/") else where)
    return fnmatchcase(resource.lower(), where.lower())
