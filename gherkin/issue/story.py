"""Read an issue into a story; the author may write free text, an issue form, Gherkin or YAML."""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from gherkin.errors import ScenaristError
from gherkin.feature.keywords import feature_keyword, has_header, language_of
from gherkin.feature.model import Feature, FeatureInvalid, Scenario, Step, parse, render
from gherkin.issue.markdown import Block, split
from gherkin.values import Frozen


class StoryInvalid(ScenaristError):
    """The scenarios or criteria written in an issue cannot be read."""

    code = "SCN-2002"
    next_step = "Correct the block in the issue, then try again (on a forge: set the label again)."


class Story(Frozen):
    """What an issue asks for. `scenarios` are those that the author wrote, else None.

    `text` is the raw body, `answers` are the raw texts of the comments that belong to it.
    """

    id: int
    title: str
    text: str = ""
    answers: str = ""
    narrative: str = ""
    acceptance_criteria: tuple[str, ...] = ()
    scenarios: Feature | None = None
    domain_context: tuple[str, ...] = ()
    out_of_scope: tuple[str, ...] = ()


_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$")
_BOLD_LINE = re.compile(r"^\*\*([^*]+)\*\*:?\s*$")
_BULLET = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?(\S.*)$")
_NARRATIVE = re.compile(
    r"\bAs an? [^\n]{1,200}?(?:\n[^\n]{0,200}?)?\bI (?:want|need|would like)\b[^\n]*"
    r"(?:\n[ \t]*[^\n\s#>*+-][^\n]*){0,2}"
)
_NOTHING = {"", "_no response_", "n/a", "none", "-"}
_SECTIONS = {
    "acceptance_criteria": ("acceptance criteria", "acceptance criterion", "akzeptanzkriterien"),
    "out_of_scope": ("out of scope", "not in scope", "non-goals"),
    "domain_context": ("domain context", "glossary", "domain language"),
}
_YAML_KEYS = (*_SECTIONS, "scenarios")
_GHERKIN_KINDS = ("gherkin", "feature", "cucumber")


def story_from_issue(number: int, title: str, body: str, comments: Sequence[str] = ()) -> Story:
    """Read an issue and the comments that belong to it; the last text with scenarios is used.

    Several Gherkin blocks in one text are one feature; without a `Feature:` line it has the issue's title. If
    no line names the language, it is found by the keywords. Empty blocks and HTML comments are ignored.

    Raises `StoryInvalid`, with the line, if a Gherkin or YAML block cannot be read.
    """
    answers = "\n\n".join(comments)
    story = Story(id=number, title=" ".join(title.split()), text=body, answers=answers)
    for place, text in enumerate((body, *comments)):
        where = f"comment {place}" if place else "the issue"
        prose, blocks = split(text)
        story = story.model_copy(update=_from_prose(prose))
        for block in blocks:
            if block.kind in ("yaml", "yml"):
                story = _with_yaml(story, block.text, block.line, where)
        gherkin = [block for block in blocks if block.kind in _GHERKIN_KINDS and not _is_blank(block)]
        if gherkin:
            story = story.model_copy(update={"scenarios": _gherkin(story, gherkin, where)})
        if not blocks and _is_yaml(prose):
            story = _with_yaml(story, prose, 1, where)
    return story


def is_empty(story: Story) -> bool:
    """Return whether there is nothing to work on.

    A story is empty if it has no scenarios, no criteria, and fewer than three words in body and comments.
    Headings, "_No response_" and HTML comments do not count. A title of at least six words is enough.
    """
    if story.scenarios is not None or story.acceptance_criteria:
        return False
    prose, blocks = split(f"{story.text}\n\n{story.answers}")
    lines = [line for line in prose.split("\n") if not _HEADING.match(line)]
    lines += [line for block in blocks for line in block.text.split("\n")]
    said = [word for line in lines if line.strip().lower() not in _NOTHING for word in line.split()]
    return len(said) < 3 and len(story.title.split()) < 6


# -- prose -----------------------------------------------------------------------------------------------


def _from_prose(prose: str) -> dict[str, Any]:
    """Return the fields of a story that headings, lists and the narrative sentence give."""
    found: dict[str, Any] = {}
    sections = _sections(prose)
    for name, words in _SECTIONS.items():
        lines = [
            line for heading, part in sections if any(word in heading for word in words) for line in part
        ]
        items = _items(lines)
        if items:
            found[name] = items
    narrative = _NARRATIVE.search(prose.replace("**", "").replace("__", ""))
    if narrative:
        found["narrative"] = " ".join(narrative.group().split())
    return found


def _sections(text: str) -> list[tuple[str, list[str]]]:
    """Return (heading in lower case, lines) in order; the heading of the text before the first is empty."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    for line in text.split("\n"):
        heading = _HEADING.match(line) or _BOLD_LINE.match(line)
        if heading:
            sections.append((heading.group(1).lower(), []))
        else:
            sections[-1][1].append(line)
    return sections


def _items(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the list items with their continuation lines, or all lines if there are no items."""
    bullets: list[str] = []
    continuing = False
    for line in lines:
        found = _BULLET.match(line)
        if found:
            bullets.append(found.group(1).strip())
        elif continuing and line.startswith(" ") and line.strip():
            bullets[-1] += f" {line.strip()}"
        continuing = bool(found) or (continuing and bool(line.strip()))
    items = bullets or [line.strip() for line in lines]
    return tuple(item for item in items if item.lower() not in _NOTHING)


# -- Gherkin ---------------------------------------------------------------------------------------------


def _gherkin(story: Story, blocks: Sequence[Block], where: str) -> Feature:
    """Return the feature of all blocks; each keeps its line numbers in the issue, which errors name."""
    lines = [""] * (blocks[-1].line + blocks[-1].text.count("\n"))
    for block in blocks:
        written = block.text.split("\n")
        lines[block.line - 1 : block.line - 1 + len(written)] = written
    text = "\n".join(lines)
    language = language_of(text)
    if not has_header(text, language):
        # The first line is free, because the fence comes before the text of a block.
        text = f"{feature_keyword(language)}: {story.title}{text}"
    try:
        return _tagged(parse(text, where, language), story.id)
    except FeatureInvalid as error:
        raise StoryInvalid(error.message) from None


def _is_blank(block: Block) -> bool:
    """Return whether a block holds only comments or nothing."""
    lines = (line.strip() for line in block.text.split("\n"))
    return all(not line or line.startswith("#") for line in lines)


def _tagged(feature: Feature, number: int) -> Feature:
    tag = f"issue-{number}"
    if tag in feature.tags:
        return feature
    return feature.model_copy(update={"tags": (*feature.tags, tag)})


# -- YAML ------------------------------------------------------------------------------------------------


def _is_yaml(prose: str) -> bool:
    """Return whether the whole text is a mapping with one of our keys, and not prose with such a line."""
    outer = (line for line in prose.split("\n") if line.strip() and line[0] not in " \t")
    return _has_our_key(prose) and all(re.match(r"\w+:|---|#|- ", line) for line in outer)


def _has_our_key(text: str) -> bool:
    return any(re.search(rf"^{key}:", text, re.MULTILINE) for key in _YAML_KEYS)


def _with_yaml(story: Story, text: str, line: int, where: str) -> Story:
    """Return the story with the values of a YAML block, or unchanged if the block has none of our keys."""
    if not _has_our_key(text):
        return story
    try:
        # BaseLoader reads all values as strings, so "12:30" and "no" stay as the author wrote them.
        data = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
        marks = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "a character that YAML does not allow"
        raise StoryInvalid(
            f"{where}: line {line + mark.line if mark else line}: {reason}. Quote a text that contains a "
            "colon, a hash or brackets."
        ) from None
    except RecursionError:
        raise StoryInvalid(f"{where}: line {line}: this YAML is nested too deeply.") from None
    if not isinstance(marks, yaml.MappingNode):
        raise StoryInvalid(f"{where}: line {line}: this must be a mapping such as `scenarios:` with a list.")
    nodes = {key.value: value for key, value in marks.value}
    changes: dict[str, Any] = {}
    for key in _SECTIONS:
        if data.get(key):
            changes[key] = _texts(data[key], key, f"{where}: line {line + nodes[key].start_mark.line}")
    if data.get("scenarios"):
        node = nodes["scenarios"]
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        starts = [line + part.start_mark.line for part in parts]
        changes["scenarios"] = _yaml_feature(story, data["scenarios"], where, starts)
    return story.model_copy(update=changes)


def _texts(value: Any, key: str, where: str) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in items):
        raise StoryInvalid(f"{where}: `{key}` must be a text or a list of texts; quote one that has a colon.")
    return tuple(" ".join(item.split()) for item in items if item.strip())


def _yaml_feature(story: Story, given: Any, where: str, lines: Sequence[int]) -> Feature:
    if not isinstance(given, list):
        raise StoryInvalid(
            f"{where}: line {lines[0]}: `scenarios` must be a list, each with name, given, when and then."
        )
    scenarios = tuple(
        _yaml_scenario(item, number, f"{where}: line {line}")
        for number, (item, line) in enumerate(zip(given, lines, strict=True), start=1)
    )
    feature = Feature(keyword="Feature", name=story.title, scenarios=scenarios)
    try:
        return _tagged(parse(render(feature), where), story.id)
    except FeatureInvalid as error:
        raise StoryInvalid(error.message) from None


def _yaml_scenario(item: Any, number: int, where: str) -> Scenario:
    keys = ("name", "given", "when", "then")
    if not isinstance(item, dict):
        raise StoryInvalid(f"{where}: scenario {number} must have name, given, when and then.")
    unknown = [key for key in item if key not in keys]
    if unknown:
        raise StoryInvalid(f"{where}: scenario {number}: `{unknown[0]}` is not one of {', '.join(keys)}.")
    steps: list[Step] = []
    for kind in ("given", "when", "then"):
        texts = _texts(item.get(kind) or [], kind, where)
        if not texts and kind != "given":
            raise StoryInvalid(f"{where}: scenario {number} needs `when` and `then`.")
        for place, text in enumerate(texts):
            clean = re.sub(r"^(?i:given|when|then|and)\s+", "", text)
            steps.append(Step(keyword="And" if place else kind.capitalize(), kind=kind, text=clean))
    name = _texts(item.get("name") or f"Scenario {number}", "name", where)
    return Scenario(keyword="Scenario", name=" ".join(name), steps=tuple(steps))
