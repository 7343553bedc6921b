"""Writes the documents that follow from the code: error codes, settings, a repository's configuration,
examples.

python -m scripts.make_docs            write them
python -m scripts.make_docs --check    exit 1 when one is stale
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

import bot
import gherkin
import runners
from bot.comment_commands.parser import COMMANDS
from bot.config.repository import RepoConfig, config_schema
from bot.config.settings import Settings
from bot.launchers.kubernetes.values import JobValues
from bot.log.events import PHASES_TO_RETRY
from bot.web.http.refusals import REFUSALS
from gherkin.errors import ScenaristError, all_errors
from gherkin.lint.findings import RULES
from runners.policy.protected import GROUPS
from scripts.cli_docs import cli
from scripts.examples import examples

DOCS = Path(__file__).parents[1] / "docs"
_NOTE = "<!-- Written by `make docs`; do not edit. -->\n"


def import_all() -> None:
    """Import every module of the three packages, so that every error is known."""
    for package in (gherkin, runners, bot):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if (
                ".inside" not in module.name
                and ".migrations" not in module.name
                and ".project" not in module.name
            ):
                importlib.import_module(module.name)


def errors() -> str:
    import_all()
    lines = [
        "# Error codes",
        "",
        _NOTE,
        "Every error a user can see has a stable code, what happened, and what to do.",
        "",
        "| code | what happened | what to do |",
        "|---|---|---|",
        f"| {ScenaristError.code} | A defect in Scenarist. | {ScenaristError.next_step} |",
    ]
    rows = [(each.code, _first_paragraph(each.__doc__), each.next_step) for each in all_errors()]
    rows += [(code, what, todo) for code, (what, todo) in REFUSALS.items()]
    lines += [f"| {code} | {what} | {todo} |" for code, what, todo in sorted(rows)]
    return "\n".join(lines) + "\n"


def settings() -> str:
    lines = [
        "# Settings of the operator",
        "",
        _NOTE,
        "Environment variables of the processes. A process manager may set those of secrets from files.",
        "",
        "| variable | default | what |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = f"`{default}`" if default not in ("", None) else ""
        lines.append(
            f"| `SCENARIST_{name.upper()}` | {shown} | "
            f"{field.description or ''}{_choices(field.annotation)} |"
        )
    return "\n".join(lines) + "\n"


def _choices(annotation: Any) -> str:
    """Return the values of a field with a fixed set of values, as a sentence."""
    if get_origin(annotation) is not Literal:
        return ""
    return f" One of {', '.join(f'`{value}`' for value in get_args(annotation))}."


def config() -> str:
    lines = [
        "# `.scenarist.yml`",
        "",
        _NOTE,
        "Optional, in the root of a repository; read from its default branch. All keys have defaults. "
        "[JSON Schema](scenarist.schema.json). `scenarist config check` says what is wrong in one before it is merged; "
        "[an editor can do so too](cli.md#an-editor-that-knows-scenaristyml).",
        "",
        "| key | default | what |",
        "|---|---|---|",
        *(f"| `{key}` | {default} | {what} |" for key, default, what in _keys(RepoConfig)),
        "",
        "```yaml",
        "version: 1",
        'commands: ["ruff check .", "mypy shop"]',
        'protected: ["migrations/**"]',
        "budget: {turns: 80, rounds: 4}",
        "```",
        "",
        "In globs `*`, `?` and `[…]` match within a folder or file name, and `**` matches any number of "
        "folders. A glob that ends in `/` matches everything below that folder. Case is ignored.",
        "",
        "These are always protected, and also the lines of `.gitattributes` that set more than line ends. "
        '`tools: {allow: ["files.write:GLOB"]}` allows changes of a path, within the operator\'s limits.',
        "",
        "| read or run by | paths |",
        "|---|---|",
        *(f"| {name} | {', '.join(f'`{glob}`' for glob in globs)} |" for name, globs in GROUPS.items()),
    ]
    return "\n".join(lines) + "\n"


def job_values() -> str:
    lines = [
        "# The values file of Kubernetes Jobs",
        "",
        _NOTE,
        "A YAML file that `SCENARIST_KUBERNETES_FILE` names on the machine of `scenarist dispatch`; see "
        "[kubernetes-jobs.md](kubernetes-jobs.md). Only `image` is needed.",
        "",
        "| key | default | what |",
        "|---|---|---|",
        *(f"| `{key}` | {default} | {what} |" for key, default, what in _keys(JobValues)),
    ]
    return "\n".join(lines) + "\n"


def rules() -> str:
    lines = [
        "# `scenarist lint`",
        "",
        _NOTE,
        "Finds faults in the valid scenarios of any project's feature files:",
        "",
        "    scenarist lint features/",
        "",
        "It prints one line for each finding, `FILE:LINE: level code: message`, or JSON with `--json`. The "
        "exit status is 1 if there is an error (with `--strict` also for a warning), and 2 if a file cannot "
        "be read. The linter uses the step definitions of the nearest `steps` folder and the domain language "
        "in `.scenarist/domain.yml`.",
        "",
        "Scenarios that a model drafts are checked by the same rules: errors are sent back to it each time, "
        "warnings once. People see the errors that remain, and criteria and scenarios that do not match. "
        "Scenarios that people wrote into an issue are used unchanged, with the linter's findings beside them.",
        "",
        "| code | level | what |",
        "|---|---|---|",
        *(f"| `{code}` | {level} | {what} |" for code, (level, what) in RULES.items()),
        "",
        "A criterion and a scenario belong together if they share enough words, or if the scenario has the "
        "tag `@ac-N` with the number N of the criterion.",
    ]
    return "\n".join(lines) + "\n"


def commands() -> str:
    lines = [
        "# Commands in comments",
        "",
        _NOTE,
        "Scenarist reads comments on issues and on its own pull (merge) requests, on GitHub and GitLab alike. "
        "A plain comment by somebody with write access reaches the active run, or answers its question. "
        "A command begins a line with `/agent`, or with a mention of the bot:",
        "",
        "    /agent retry implement",
        "    @scenarist status",
        "",
        "| command | on | what it does |",
        "|---|---|---|",
        *(
            f"| `/agent {name}{f' {each.argument}' if each.argument else ''}` | {each.where} | {each.does} |"
            for name, each in COMMANDS.items()
        ),
        "",
        f"A phase is one of {', '.join(f'`{phase}`' for phase in PHASES_TO_RETRY)}.",
        "",
        "* A command is acknowledged with 👀 and answered once: by the run that it begins, or by a comment. One "
        "that does not exist, has no effect or is not allowed gets one sentence.",
        "* Several commands in one comment, each at the beginning of a line, are carried out in their order "
        "and answered in one comment. What follows a command up to the next one, code blocks included, belongs "
        "to it. Quotes, code blocks and HTML comments are no commands.",
        "* An edit of a comment counts as a command only if it adds one.",
        "* `@scenarist cancel` is a command, `@scenarist cancel the second scenario, please` is a sentence: behind a "
        "mention, a command without an argument has to be all that its line says. After `/agent` it does not.",
        "* A command in the text of a review or in a review thread is carried out, too, and answered where it "
        "stands. It is no remark: what the review says besides begins a revision.",
        "* A mention of the bot where no run hears it is answered with the list of commands.",
        "* People with write access may give each of them; the bot asks the forge for their rights at that moment. The author of the issue may give `help` and `status`, too. `may` in [.scenarist.yml](config.md) says otherwise:",
        "",
        "```yaml",
        "may:",
        "  cancel: [maintain]",
        "  budget: [admin, 'team:leads']",
        "  status: [read]",
        "```",
        "",
        "A team can be looked up on GitHub only where the App may read *Members* of the organisation.",
    ]
    return "\n".join(lines) + "\n"


def _keys(model: Any, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from _keys(field.annotation, f"{prefix}{name}.")
            continue
        default = "" if field.default is PydanticUndefined else f"`{json.dumps(field.default, default=str)}`"
        yield f"{prefix}{name}", default, field.description or ""


def schema() -> str:
    return json.dumps(config_schema(), indent=2) + "\n"


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").strip().split("\n\n")[0].split())


def documents() -> dict[str, str]:
    """Return file name -> its content."""
    return {
        "errors.md": errors(),
        "settings.md": settings(),
        "config.md": config(),
        "kubernetes-values.md": job_values(),
        "lint.md": rules(),
        "commands.md": commands(),
        "cli.md": cli(_NOTE),
        "scenarist.schema.json": schema(),
        **{f"examples/{name}": text.rstrip() + "\n" for name, text in examples().items()},
    }


def main() -> int:
    stale = []
    for name, text in documents().items():
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"stale: {', '.join(stale)}; run `make docs`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
