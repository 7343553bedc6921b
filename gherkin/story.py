"""Issue -> Story: free text, issue forms, a Gherkin block or YAML, whatever the author wrote."""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from gherkin.errors import ScenaristError
from gherkin.spec import Feature, FeatureInvalid, Node, Scenario, Step, parse, render


class StoryInvalid(ScenaristError):
    """The scenarios or criteria written in an issue cannot be read."""

    code = "SCN-2002"
    next_step = "Correct the block in the issue and set the label again."


class Story(Node):
    """What an issue asks for. `scenarios` is there when the author wrote them; `text` is the raw body."""

    id: int
    title: str
    text: str = ""
    narrative: str = ""
    acceptance_criteria: tuple[str, ...] = ()
    scenarios: Feature | None = None
    domain_context: tuple[str, ...] = ()
    out_of_scope: tuple[str, ...] = ()


_BLOCK = re.compile(
    r"^(?P<indent> {0,3})(?P<fence>`{3,}|~{3,})[ \t]*(?P<kind>[\w+-]*)[^\n]*\n(?P<text>.*?)"
    r"^ {0,3}(?P=fence)[`~]*[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$")
_BULLET = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?(.+)$")
_NARRATIVE = re.compile(r"\bAs an? .{1,200}?\bI (?:want|need|would like)\b[^\n]*(?:\n[^\n]+){0,2}", re.DOTALL)
_NOTHING = {"", "_no response_", "n/a", "none", "-"}
_YAML_KEYS = ("acceptance_criteria", "scenarios", "domain_context", "out_of_scope")


def story_from_issue(number: int, title: str, body: str, comments: Sequence[str] = ()) -> Story:
    """Read an issue and the comments that belong to it; the last one that has scenarios wins.

    Raises `StoryInvalid` when a Gherkin or YAML block in them cannot be read.
    """
    body = body.replace("\r\n", "\n")
    story = Story(id=number, title=" ".join(title.split()), text=body, **_from_text(body))
    for text in (body, *(comment.replace("\r\n", "\n") for comment in comments)):
        story = _with_blocks(story, text)
    return story


def is_empty(story: Story) -> bool:
    """Whether there is nothing to work on: no text to speak of, no scenarios, no criteria.

    A title alone is enough when it has at least six words.
    """
    if story.scenarios is not None or story.acceptance_criteria:
        return False
    lines = [line for line in story.text.split("\n") if not _HEADING.match(line)]
    text = re.sub(r"<!--.*?-->", "", "\n".join(lines), flags=re.DOTALL)
    said = [
        word for line in text.split("\n") if line.strip().lower() not in _NOTHING for word in line.split()
    ]
    return len(said) < 3 and len(story.title.split()) < 6


def _from_text(body: str) -> dict[str, Any]:
    """What headings, lists and the narrative sentence say."""
    plain = _BLOCK.sub("", body)
    sections = _sections(plain)
    found: dict[str, Any] = {}
    for name, words in (
        ("acceptance_criteria", ("acceptance criteria", "acceptance criterion", "akzeptanzkriterien")),
        ("out_of_scope", ("out of scope", "not in scope", "non-goals")),
        ("domain_context", ("domain context", "glossary", "domain language")),
    ):
        lines = [line for heading, part in sections if heading.rstrip(":") in words for line in part]
        if lines:
            found[name] = _items(lines)
    narrative = _NARRATIVE.search(plain)
    if narrative:
        found["narrative"] = " ".join(narrative.group().split())
    return found


def _sections(text: str) -> list[tuple[str, list[str]]]:
    """(heading in lower case, lines) in order; the text before the first heading has an empty one."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    for line in text.split("\n"):
        heading = _HEADING.match(line) or re.match(r"^\*\*(.+?)\*\*:?\s*$", line)
        if heading:
            sections.append((heading.group(1).strip().lower(), []))
        else:
            sections[-1][1].append(line)
    return sections


def _items(lines: Sequence[str]) -> tuple[str, ...]:
    """The bullets, or the paragraphs where there are none."""
    bullets = [found.group(1).strip() for line in lines if (found := _BULLET.match(line))]
    plain = [line.strip() for line in lines if line.strip()]
    return tuple(item for item in bullets or plain if item.lower() not in _NOTHING)


def _with_blocks(story: Story, text: str) -> Story:
    for block in _BLOCK.finditer(text):
        line = text.count("\n", 0, block.start("text")) + 1
        kind = block.group("kind").lower()
        if kind in ("gherkin", "feature", "cucumber"):
            story = story.model_copy(update={"scenarios": _gherkin(story, block.group("text"), line)})
        elif kind in ("yaml", "yml"):
            story = _with_yaml(story, block.group("text"), line)
    if not _BLOCK.search(text) and any(re.search(rf"^{key}:", text, re.MULTILINE) for key in _YAML_KEYS):
        story = _with_yaml(story, text, 1)
    return story


def _gherkin(story: Story, text: str, line: int) -> Feature:
    """The feature of a block; bare scenarios get one named by the issue's title."""
    bare = not re.search(r"^\s*(?:Feature|Ability|Business Need)\s*:|^\s*#\s*language:", text, re.MULTILINE)
    source = f"Feature: {story.title}\n{text}" if bare else text
    shift = line - 1 - (1 if bare else 0)
    try:
        # The parser names lines of the block: empty lines in front make them lines of the issue.
        feature = parse("\n" * max(shift, 0) + source, "the issue")
    except FeatureInvalid as error:
        raise StoryInvalid(error.message) from None
    return _tagged(feature, story.id)


def _tagged(feature: Feature, number: int) -> Feature:
    tag = f"issue-{number}"
    if tag in feature.tags:
        return feature
    return feature.model_copy(update={"tags": (*feature.tags, tag)})


def _with_yaml(story: Story, text: str, line: int) -> Story:
    """A block without any of our keys is an example of something else, and left alone."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        if not any(re.search(rf"^{key}:", text, re.MULTILINE) for key in _YAML_KEYS):
            return story
        mark = getattr(error, "problem_mark", None)
        where = f"line {line + mark.line}" if mark else "the block"
        reason = getattr(error, "problem", None) or "not valid YAML"
        raise StoryInvalid(f"the issue: {where}: {reason}.") from None
    if not isinstance(data, dict) or not any(key in data for key in _YAML_KEYS):
        return story
    changes: dict[str, Any] = {
        key: _texts(data[key], key)
        for key in ("acceptance_criteria", "domain_context", "out_of_scope")
        if data.get(key) is not None
    }
    if data.get("scenarios") is not None:
        changes["scenarios"] = _yaml_feature(story, data["scenarios"])
    return story.model_copy(update=changes)


def _texts(value: Any, key: str) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, (dict, list)) for item in items):
        raise StoryInvalid(f"the issue: `{key}` must be a text or a list of texts.")
    return tuple(" ".join(str(item).split()) for item in items if str(item).strip())


def _yaml_feature(story: Story, given: Any) -> Feature:
    if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
        raise StoryInvalid("the issue: `scenarios` must be a list, each with name, given, when and then.")
    scenarios = []
    for number, item in enumerate(given, start=1):
        unknown = set(item) - {"name", "given", "when", "then"}
        if unknown:
            raise StoryInvalid(
                f"the issue: scenario {number}: `{sorted(map(str, unknown))[0]}` is not one of name, given, when, then."
            )
        if not item.get("when") or not item.get("then"):
            raise StoryInvalid(f"the issue: scenario {number} needs `when` and `then`.")
        scenarios.append(_yaml_scenario(item, number))
    feature = Feature(keyword="Feature", name=story.title, scenarios=tuple(scenarios))
    try:
        return _tagged(parse(render(feature), "the issue"), story.id)
    except FeatureInvalid as error:
        raise StoryInvalid(error.message) from None


def _yaml_scenario(item: dict[str, Any], number: int) -> Scenario:
    steps: list[Step] = []
    for kind in ("given", "when", "then"):
        for place, text in enumerate(_texts(item.get(kind) or [], kind)):
            clean = re.sub(r"^(?i:given|when|then|and)\s+", "", text)
            steps.append(Step(keyword="And" if place else kind.capitalize(), kind=kind, text=clean))
    name = " ".join(str(item.get("name") or f"Scenario {number}").split())
    return Scenario(keyword="Scenario", name=name, steps=tuple(steps))
