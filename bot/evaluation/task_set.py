"""A set of tasks: the YAML file that says which repository, which issue, and which hidden tests."""

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from bot.config.repository import RepoConfig
from gherkin.errors import ScenaristError
from gherkin.issue.kinds import Kind
from gherkin.values import Frozen
from gherkin.yamlfile import read_yaml

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_SHIPPED = "bot.evaluation.sets"


class EvalSetInvalid(ScenaristError):
    """A set of tasks for `scenarist eval` cannot be used."""

    code = "SCN-7060"
    next_step = "Correct that line of the set; docs/evaluation.md lists its keys."


class GitTree(Frozen):
    """The files of one commit."""

    url: str = Field(description="An address that `git fetch` understands, or a folder beside the set.")
    commit: str = Field(description="The commit's whole id, or a branch or tag.")


class PackageTree(Frozen):
    """The files of a source distribution of PyPI."""

    name: str = Field(pattern=_NAME)
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+!-]*$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="The hash of the archive, in hex.")


class RowTree(Frozen):
    """Files made from one row of a JSON Lines file, such as HumanEvalFix."""

    git: GitTree = Field(description="The repository that holds the file.")
    path: str = Field(description="The file in it.")
    key: str = Field(description="The field that identifies a row.")
    row: str = Field(description="The value of that field.")
    texts: dict[str, str] = Field(description="Files by path; `{field}` stands for a field of the row.")


class Tree(Frozen):
    """The source of files: exactly one of these fields, and which of the files are taken."""

    texts: dict[str, str] | None = Field(default=None, description="Files by path, with their text.")
    folder: str = Field(default="", description="A folder beside the set.")
    git: GitTree | None = None
    package: PackageTree | None = None
    row: RowTree | None = None
    keep: tuple[str, ...] = Field(default=(), description="Globs of the paths that are taken; empty: all.")
    remove: tuple[str, ...] = Field(default=(), description="Globs of the paths that are left out.")
    move: dict[str, str] = Field(default={}, description="New paths of files, by their path.")

    @model_validator(mode="after")
    def _one(self) -> "Tree":
        given = [self.texts is not None, bool(self.folder), self.git, self.package, self.row]
        if sum(map(bool, given)) != 1:
            raise ValueError("give one of texts, folder, git, package and row")
        return self


class Hidden(Frozen):
    """The tests that judge an attempt. No phase of a run ever sees them."""

    files: tuple[Tree, ...] = Field(min_length=1, description="What is laid over the result.")
    tests: tuple[str, ...] = Field(
        default=(), description="pytest's ids of the tests that must pass; empty: all in the files."
    )


class Task(Frozen):
    """One issue on one repository, and what judges the result."""

    id: str = Field(pattern=_NAME)
    kind: Kind = "bug"
    licence: str = Field(default="", description="The licence of the repository, as SPDX names it.")
    issue: str = Field(min_length=1, description="First line: title; the rest: text.")
    base: Tree = Field(description="The repository that the run starts from.")
    config: dict[str, Any] = Field(default={}, description="Keys of `.scenarist.yml` that the run uses.")
    hidden: Hidden | None = None
    fix: tuple[Tree, ...] = Field(
        default=(), description="Files that are laid over the base: a change that passes, for `eval check`."
    )
    impossible: str = Field(
        default="",
        description="Why the task cannot be done honestly. The right end is a question or giving up; a "
        "proven change is a false green.",
    )

    @field_validator("config")
    @classmethod
    def _config(cls, given: dict[str, Any]) -> dict[str, Any]:
        try:
            RepoConfig.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{place} is not a key or value of .scenarist.yml") from None
        return given

    @model_validator(mode="after")
    def _judged(self) -> "Task":
        if self.hidden is None and not self.impossible:
            raise ValueError("hidden is missing: tests must judge a task that can be done")
        return self


class EvalSet(Frozen):
    """A set of tasks. `place` is the folder that relative paths start from."""

    name: str = Field(pattern=_NAME)
    about: str = Field(default="", description="What the set measures.")
    include: tuple[str, ...] = Field(default=(), description="Shipped sets whose tasks come first.")
    tasks: tuple[Task, ...] = Field(min_length=1)
    version: Literal[1] = 1
    place: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _distinct(self) -> "EvalSet":
        ids = [task.id.lower() for task in self.tasks]
        twice = next((each for each in ids if ids.count(each) > 1), None)
        if twice:
            raise ValueError(f"two tasks have the id {twice}")
        return self


def shipped_sets() -> list[str]:
    """Return the names of the sets that are part of Scenarist."""
    found = files(_SHIPPED).iterdir()
    return sorted(each.name.removesuffix(".yml") for each in found if each.name.endswith(".yml"))


def read_set(given: str) -> EvalSet:
    """Return the set at the path `given`, or the shipped one of that name. Raises `EvalSetInvalid`."""
    path = Path(given)
    if not path.is_file() and given in shipped_sets():
        path = Path(str(files(_SHIPPED).joinpath(f"{given}.yml")))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        known = ", ".join(shipped_sets())
        raise EvalSetInvalid(f"{given[:200]} is neither a readable file nor one of {known}.") from None
    found = read_yaml(text, path.name, EvalSet, EvalSetInvalid)
    unknown = next((each for each in found.include if each not in shipped_sets()), None)
    if unknown is not None:
        raise EvalSetInvalid(f"{path.name} includes {unknown}, which is none of {', '.join(shipped_sets())}.")
    tasks = [*(task for each in found.include for task in read_set(each).tasks), *found.tasks]
    twice = next(
        (each.id for at, each in enumerate(tasks) if each.id in {one.id for one in tasks[:at]}), None
    )
    if twice is not None:
        raise EvalSetInvalid(f"{path.name} and what it includes have two tasks {twice}.")
    return found.model_copy(update={"tasks": tuple(tasks), "place": path.parent.resolve()})
