"""`scenarist backlog`: stories of a YAML file become issues, in the order of their priority, each once."""

import re
from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import Field

from bot.forges.backlog import Backlog
from bot.forges.forge import Repo
from gherkin.errors import ScenaristError
from gherkin.feature.model import FeatureInvalid
from gherkin.issue.story import StoryInvalid, story_from_issue
from gherkin.values import Frozen
from gherkin.yamlfile import read_yaml


class BacklogInvalid(ScenaristError):
    """The backlog file cannot be used."""

    code = "SCN-7014"
    next_step = "Correct the file; docs/backlog.md shows what it holds."


class BacklogStory(Frozen):
    """One story of a backlog, in the words of an issue."""

    id: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$",
        description="Its name in the file; an issue is made for it once.",
    )
    title: str = Field(min_length=1, max_length=250, description="The issue's title.")
    text: str = Field(default="", description="What it is about, in Markdown.")
    narrative: str = Field(default="", description="As a …, I want …, so that …")
    acceptance_criteria: tuple[str, ...] = Field(default=(), description="What must hold in the end.")
    scenarios: tuple[dict[str, Any], ...] = Field(
        default=(), description="Scenarios with `name`, `given`, `when` and `then`."
    )
    domain_context: tuple[str, ...] = Field(default=(), description="What its words mean.")
    out_of_scope: tuple[str, ...] = Field(default=(), description="What it does not ask for.")
    priority: int = Field(
        default=0, description="The lowest number comes first; the same ones in their order."
    )
    labels: tuple[str, ...] = Field(default=(), description="Labels besides those of the command.")


class BacklogFile(Frozen):
    """What the file holds."""

    stories: tuple[BacklogStory, ...] = Field(min_length=1, description="The stories.")


def read_backlog(text: str, name: str) -> list[BacklogStory]:
    """Return the stories of a file's text, by priority. Raises `BacklogInvalid`."""
    stories = read_yaml(text, name, BacklogFile, BacklogInvalid).stories
    ids = [story.id for story in stories]
    if twice := next((each for each in ids if ids.count(each) > 1), None):
        raise BacklogInvalid(f"{name}: two stories are called {twice}.")
    for story in stories:
        try:
            story_from_issue(1, story.title, issue_body(story))
        except (StoryInvalid, FeatureInvalid) as error:
            raise BacklogInvalid(f"{name}: story {story.id}: {error.message}") from None
    return sorted(stories, key=lambda story: story.priority)


def marker(story: BacklogStory) -> str:
    """Return the marker by which a story's issue is found again."""
    return f"<!-- scenarist:backlog:{story.id} -->"


def issue_body(story: BacklogStory) -> str:
    """Return the story as the text of an issue, which `gherkin.issue.story` reads back."""
    parts = [marker(story)]
    parts += [part.strip() for part in (story.narrative, story.text) if part.strip()]
    for heading, items in (
        ("Acceptance criteria", story.acceptance_criteria),
        ("Domain context", story.domain_context),
        ("Out of scope", story.out_of_scope),
    ):
        if items:
            parts.append(f"### {heading}\n\n" + "\n".join(f"- {' '.join(item.split())}" for item in items))
    if story.scenarios:
        dumped = yaml.safe_dump(
            {"scenarios": list(story.scenarios)}, sort_keys=False, allow_unicode=True, width=1000
        )
        fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", dumped)), 3)
        parts.append(f"{fence}yaml\n{dumped}{fence}")
    return "\n\n".join(parts) + "\n"


def import_backlog(
    forge: Backlog, repo: Repo, stories: Sequence[BacklogStory], labels: Sequence[str], *, dry_run: bool
) -> list[tuple[BacklogStory, int, bool]]:
    """Create an issue for each story that has none yet.

    Returns (story, number of its issue, whether it is new) for each; the number is 0 in a dry run. Raises the
    forge's errors; issues created until then stay, and the next import continues from there.
    """
    known = forge.marked_issues(repo, "scenarist:backlog:")
    done = []
    for story in stories:
        number = known.get(story.id, 0)
        new = not number
        if new and not dry_run:
            wanted = list(dict.fromkeys([*labels, *story.labels]))
            number = forge.create_issue(repo, story.title, issue_body(story), wanted).number
        done.append((story, number, new))
    return done
