"""Judge whether an issue says enough to write scenarios, and what to ask if it does not.

The criteria of a good story are those of https://agilealliance.org/glossary/invest/.
"""

import re
from collections.abc import Iterator

from gherkin.issue.slicing import is_large, size
from gherkin.issue.story import Story
from gherkin.values import Frozen

_OUTCOME = re.compile(
    r"\b(should|shall|must|needs? to|has to|expect(?:ed|s)?|instead(?: of)?|becomes?|returns?|shows?"
    r"|displays?|prints?|raises?|rejects?|refuses?|accepts?|allows?|costs?|contains?"
    r"|gets|downloads|opens|closes|appears|sends|saves|writes|lists|links"
    r"|is (?:not )?(?:sent|saved|stored|shown|charged|free|allowed|refused|rejected)"
    r"|when|wenn|soll(?:te|en)?|muss|statt)\b",
    re.IGNORECASE,
)
_CONCRETE = re.compile(
    r"\d|\"[^\"\n]{1,200}\"|“[^”\n]{1,200}”|`[^`\n]{1,200}`|\bfor example\b|\be\.g\.|\bz\. ?B\.",
    re.IGNORECASE,
)
_WHY = re.compile(
    r"\bas an? [^\n,]{1,200}|\bso that\b|\bbecause\b|\bin order to\b|\bdamit\b|\bweil\b"
    r"|\bals [^\n,]{1,80} möchte\b",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"\b(etc|and so on|some(?:how|thing)?|various|several|nice(?:r|ly)?|better|improve[ds]?|improvements?"
    r"|optimi[sz]e[ds]?|fast(?:er)?|user[- ]?friendly|intuitive|robust|flexible|modern|clean(?:er)?"
    r"|proper(?:ly)?|appropriate(?:ly)?|as needed|if possible|maybe|perhaps|tbd|to be (?:defined|decided)"
    r"|stuff|things?)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|\n")
_CODE_BLOCK = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
# Titles often begin with one of these, and then name what somebody wants *to* do.
_IMPERATIVE = re.compile(
    r"(add|allow|change|create|export|fix|handle|implement|import|improve|let|make|move|remove|rename|replace"
    r"|return|show|sort|support|update|use)\b",
    re.IGNORECASE,
)
_MAX_QUESTIONS = 5
_MIN_ANSWER_WORDS = 5


class StoryAspect(Frozen):
    """One aspect of a story: `points` of at most `most`, and the reason."""

    name: str
    points: int
    most: int
    why: str


class Advice(Frozen):
    """The coach's judgement of a story; `score` is from 0 to 100."""

    parts: tuple[StoryAspect, ...]
    questions: tuple[str, ...]
    wording: str

    @property
    def score(self) -> int:
        return sum(part.points for part in self.parts)


def coach(story: Story) -> Advice:
    """Judge a story that has no scenarios of its own."""
    text = _CODE_BLOCK.sub(" 1 ", f"{story.title}\n{story.text}\n{story.answers}")
    parts = (
        _testable(story, text),
        _concrete(text),
        _clear(text),
        _small(story, text),
        _valuable(story, text),
    )
    questions = tuple(_questions(story, text, parts))[:_MAX_QUESTIONS]
    return Advice(parts=parts, questions=questions, wording=_wording(story))


def says_enough(answer: str) -> bool:
    """Return whether an answer to these questions has a whole sentence that is not only vague.

    Who has answered is not asked by points again.
    """
    sentences = _SENTENCE_END.split(_CODE_BLOCK.sub(" 1 ", answer))
    return any(
        len(each.split()) >= _MIN_ANSWER_WORDS and (not _VAGUE.search(each) or bool(_CONCRETE.search(each)))
        for each in sentences
    )


def _testable(story: Story, text: str) -> StoryAspect:
    if story.acceptance_criteria:
        return StoryAspect(name="testable", points=35, most=35, why="It has acceptance criteria.")
    found = [word for sentence in _SENTENCE_END.split(text) for word in _outcomes(sentence)]
    if found:
        points = min(35, 20 + 5 * len(found))
        return StoryAspect(
            name="testable", points=points, most=35, why=f"It speaks of outcomes (“{found[0]}”)."
        )
    return StoryAspect(name="testable", points=0, most=35, why="It names nothing that can be observed.")


def _outcomes(sentence: str) -> list[str]:
    """Return the words of a sentence that name an outcome; none if it is only vague (“should be nicer”)."""
    if _VAGUE.search(sentence) and not _CONCRETE.search(sentence):
        return []
    return _OUTCOME.findall(sentence)


def _concrete(text: str) -> StoryAspect:
    found = len(_CONCRETE.findall(text))
    points = min(25, 10 * found)
    return StoryAspect(
        name="concrete",
        points=points,
        most=25,
        why="It has values and examples." if found else "It has no value and no example.",
    )


def _clear(text: str) -> StoryAspect:
    found = sorted({word.lower() for word in _VAGUE.findall(text)})
    points = max(0, 20 - 7 * len(found))
    why = f"Words that everybody reads in another way: {', '.join(found)}." if found else "It is unambiguous."
    return StoryAspect(name="clear", points=points, most=20, why=why)


def _small(story: Story, text: str) -> StoryAspect:
    words, criteria = size(story, text)
    if is_large(words, criteria):
        return StoryAspect(
            name="small", points=0, most=10, why=f"It is large: {words} words, {criteria} criteria."
        )
    return StoryAspect(name="small", points=10, most=10, why="It is small enough for one change.")


def _valuable(story: Story, text: str) -> StoryAspect:
    if story.narrative or _WHY.search(text):
        return StoryAspect(name="valuable", points=10, most=10, why="It says for whom or why.")
    return StoryAspect(name="valuable", points=0, most=10, why="It does not say for whom, or why.")


def _questions(story: Story, text: str, parts: tuple[StoryAspect, ...]) -> Iterator[str]:
    points = {part.name: part.points for part in parts}
    if not points["testable"]:
        yield "What does somebody do, and what do they see then that they do not see today?"
    if not points["concrete"]:
        yield "Can you give one example with values: this goes in, that comes out?"
    for word in sorted({word.lower() for word in _VAGUE.findall(text)})[:2]:
        yield f"What exactly does “{word}” mean here: how would one tell that it is so?"
    if not points["small"]:
        yield "Which part of it is to be done first? The others are better as issues of their own."
    if not points["valuable"]:
        yield "Who needs it, and what for?"


def _wording(story: Story) -> str:
    """Return the story in a precise form, with gaps where the issue says nothing."""
    lines = [
        story.narrative.strip() or f"As a …, I want {_as_wish(story.title)}, so that …",
        "",
        "Acceptance criteria",
        "",
    ]
    lines += [f"- {criterion}" for criterion in story.acceptance_criteria] or ["- When …, then …"]
    return "\n".join(lines)


def _as_wish(title: str) -> str:
    words = title.strip().rstrip(".!?")
    wish = words[:1].lower() + words[1:] if words[1:2].islower() else words
    return f"to {wish}" if _IMPERATIVE.match(wish) else wish
