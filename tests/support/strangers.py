"""Strangers' text that tries to act on a forge, and a check of what a text would do there."""

import re
import unicodedata

from hypothesis import strategies as st

from tests.support import gfm

_SIGNS = st.sampled_from(
    [
        *(
            "@ada",
            "#12",
            "Closes #12",
            "fixes gh-3",
            "!7",
            "https://evil.example/1",
            "www.evil.example",
            "a@b.example",
        ),
        *(
            "<img src=x>",
            "<!-- x -->",
            "-->",
            "</details>",
            "<script>",
            "&lt;",
            "![x](y)",
            "[x](javascript:1)",
        ),
        *(
            "```",
            "````gherkin",
            "~~~",
            "`",
            "``",
            "`code`",
            "/close",
            "/approve",
            "***",
            "__x__",
            "# h",
            "## h",
            "> q",
        ),
        *(
            "- ",
            "* ",
            "+ ",
            "1. ",
            "10) ",
            "===",
            "---",
            "|",
            "|---|",
            "\\",
            "\\|",
            "$$",
            "~~x~~",
            "[ ] ",
            "[x]: y",
            "[^1]",
        ),
        *(
            "\n",
            "\n\n",
            "\r\n",
            "\t",
            "    ",
            " ",
            "\u2028",
            "\u200b",
            "\x1b[2J",
            "\ud800",
            "a",
            "word",
            "ä",
            "🟢",
        ),
    ]
)
EVIL = st.lists(st.one_of(_SIGNS, st.text(max_size=8)), max_size=12).map("".join)


def acts(text: str) -> list[str]:
    """Return the actions that a forge would take because of a text, besides showing it."""
    found = re.findall(r"@\w|(?:#|!|\bgh-)\d|://|\bwww\.|^/\w", text, re.IGNORECASE | re.MULTILINE)
    found += [each for each in text if unicodedata.category(each) in ("Cs",) or each == "\x1b"]
    for token in gfm.tokens(text):
        found += [child.type for child in token.children or [] if child.type in ("image", "link_open")]
        html = [child for child in token.children or [] if child.type == "html_inline"]
        found += [child.content for child in html if child.content not in ("<code>", "</code>")]
        found += [token.type] if token.type == "html_block" else []
    return found


# https://docs.gitlab.com/user/project/quick_actions/
_QUICK_ACTION = re.compile(r"^/[a-z_]\w*", re.MULTILINE)
# https://docs.gitlab.com/user/project/issues/managing_issues/#default-closing-pattern
_CLOSING = re.compile(
    r"\b(?:clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|implement(?:s|ed|ing)?):? +"
    r"(?:issues? +)?(?:[\w./-]*#\d+|https?://\S+/issues/\d+|[A-Z][A-Z0-9_]+-\d+)",
    re.IGNORECASE,
)
# https://docs.gitlab.com/ci/pipelines/#skip-a-pipeline
# https://docs.github.com/actions/how-tos/manage-workflow-runs/skip-workflow-runs
_SKIPPING = re.compile(
    r"\[(?:skip[ -]ci|ci[ -]skip|no ci|skip actions|actions skip)\]|\*\*\*NO_CI\*\*\*|^skip-checks: *true",
    re.IGNORECASE | re.MULTILINE,
)
_WORDS = st.sampled_from(
    [
        *(
            "[skip ci]",
            "[ci skip]",
            "[CI-Skip]",
            "[no ci]",
            "[actions skip]",
            "***NO_CI***",
            "skip-checks: true",
        ),
        *("GL-12", "[issue:12]", "Draft: ", "<img src=x>", "![x](https://e/x.png)", "[x]: /y", "~~~", "1. "),
        *("/close", "/approve", "/merge", "/label ~bug", "/assign @ada", "/unlabel", " /close", "\t/close"),
        *("Closes #3", "fixes group/calc#12", "Implements: issue #4", "Resolved ABC-12", "closing gh-3"),
        *("Fix https://gitlab.example/g/p/-/issues/4", "[[_TOC_]]", "::include{file=x}", "$`x`$"),
        *("\n", "\n\n", "\r\n", "- ", "> ", "```", "`", "word ", "| ", "&3", "%1", "~bug", "^x"),
    ]
)
ON_GITLAB = st.lists(_WORDS, max_size=10).map("".join)


def acted(text: str) -> list[str]:
    """What a forge would do because of a text besides showing it: quick actions at the start of a line,
    closing words, and a CI that is not run."""
    return [*_QUICK_ACTION.findall(text), *_CLOSING.findall(text), *_SKIPPING.findall(text)]
