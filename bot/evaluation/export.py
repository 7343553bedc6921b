"""Results in the formats of SWE-bench: `preds.json` and the report of its harness.

Predictions have the keys of https://www.swebench.com/SWE-bench/guides/evaluation/; the report has the fields
of the package swebench, schema version 2.
"""

import json
from collections.abc import Sequence
from typing import Any

from bot.evaluation.attempts import About, TaskAttempt


def predictions(about: About, attempts: Sequence[TaskAttempt], seed: int) -> dict[str, dict[str, str]]:
    """Return what `preds.json` holds for one seed: the patch of each task by its id.

    Work that the gate did not call proven is in it too. Attempts whose infrastructure failed are not.
    """
    return {
        each.task: {
            "model_name_or_path": about.models,
            "instance_id": each.task,
            "model_patch": f"{each.patch}\n" if each.patch else "",
        }
        for each in attempts
        if each.seed == seed and not each.infra
    }


def swebench_report(about: About, attempts: Sequence[TaskAttempt], seed: int) -> dict[str, Any]:
    """Return the report for one seed. A task counts as resolved when its hidden tests pass on the patch.

    Tasks that cannot be done are not in it: SWE-bench has no such thing.
    """
    known = [each for each in attempts if each.seed == seed and not each.impossible]
    passed = [each.task for each in known if not each.infra and each.hidden and each.hidden.green]
    empty = [each.task for each in known if not each.infra and not each.patch]
    infra = [each.task for each in known if each.infra]
    done = [each.task for each in known if not each.infra and each.patch]
    lists = {
        "completed_ids": done,
        "resolved_ids": passed,
        "unresolved_ids": [each for each in done if each not in passed],
        "empty_patch_ids": empty,
        "error_ids": [],
        "infra_failure_ids": infra,
        "ambiguous_failure_ids": [],
        "submitted_ids": [*done, *empty],
    }
    names = {
        "completed_instances": done,
        "resolved_instances": passed,
        "unresolved_instances": lists["unresolved_ids"],
        "empty_patch_instances": empty,
        "error_instances": [],
        "infra_failure_instances": infra,
        "ambiguous_failure_instances": [],
        "submitted_instances": lists["submitted_ids"],
    }
    return {
        "total_instances": len(known),
        **{name: len(found) for name, found in names.items()},
        **{name: sorted(found) for name, found in lists.items()},
        "incomplete_ids": sorted(set(about.tasks) - {each.task for each in attempts if each.seed == seed}),
        "schema_version": 2,
    }


def as_text(data: object) -> str:
    """Return `data` as the text of a JSON file."""
    return json.dumps(data, indent=2, sort_keys=True) + "\n"
