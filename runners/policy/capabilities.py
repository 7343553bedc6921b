"""Who may call what: capabilities, granted by role and by the repository, never wider than the operator
allows.

A capability is ``family.action``; what it is used on (a path, a host, a database's name, an image) is its
resource. A grant or a denial is a pattern of both: ``http.get:api.example.com``, ``files.write:docs/**``,
``docker.*``; without a resource it means every one.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gherkin.values import Frozen
from runners.policy.globs import is_protected, matches

# The roles differ in the number of their tools; what reaches beyond the workspace must be granted to both.
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
)
# What reaches no further than the workspace, and needs no grant.
_WITHIN = ("files.read", "git.read", "files.write", "git.write", "shell.run", "tests.run")


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

    `repository` comes from the default branch's `.scenarist.yml`: it grants what a role does not have by
    itself (everything that leaves the workspace) and may deny the rest. `operator` bounds it: without a
    pattern that allows, nothing is allowed. `protected` are globs of paths that only a grant
    ``files.write:GLOB`` opens, and `locked` those that nothing opens.
    """

    role: Role = "edit"
    repository: Grants = Grants()
    operator: Grants = Grants(allow=("*",))
    protected: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()

    def refusal(self, capability: str, resource: str | None = None) -> str | None:
        """Why `capability` may not be used on `resource`, in a sentence; None if it may.

        Without a resource the question is whether it may be used on anything at all.
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
        """Why the file `path` (relative to the workspace, links followed) may not be written.

        None if it may.
        """
        if is_protected(path, self.locked):
            return f"`{path}` is locked and must not be changed."
        if is_protected(path, self.protected) and not self.opens(path):
            return f"`{path}` is protected and must not be changed."
        return self.refusal("files.write", path)

    def keeps(self, path: str) -> bool:
        """Whether the file `path` must stay as the base has it, whatever writes it: a tool or a command."""
        if is_protected(path, self.closed):
            return True
        return is_protected(path, self.protected) and not self.opens(path)

    def keeps_all_below(self, folder: str) -> bool:
        """Whether every file that could be made below `folder` must not be made."""
        if any(each.startswith("files.write:") for each in self.repository.allow):
            return False
        above = [folder, *map(str, PurePosixPath(folder).parents)]
        globs = (each + "**" if each.endswith("/") else each for each in (*self.closed, *self.protected))
        stems = [each.removesuffix("/**") for each in globs if each.endswith("/**")]
        return any(is_protected(each, stems) for each in above)

    @property
    def closed(self) -> tuple[str, ...]:
        """The globs of paths that nothing opens: the locked ones, and those that are denied by their name."""
        denied = [*self.operator.deny, *self.repository.deny]
        named = [each.partition(":") for each in denied if ":" in each]
        return (*self.locked, *(glob for action, _, glob in named if fnmatchcase("files.write", action)))

    def opens(self, path: str) -> bool:
        """Whether the repository names `path` in a grant of its own, and the operator allows that."""
        named = [p for p in self.repository.allow if p.startswith("files.write:")]
        return _matched(named, "files.write", path, any_resource=False) and not self.refusal(
            "files.write", path
        )


def _matched(patterns: Iterable[str], capability: str, resource: str | None, *, any_resource: bool) -> bool:
    """Whether a pattern fits; `any_resource` is whether one that names a resource fits when none is asked
    for."""
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
