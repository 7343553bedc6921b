"""A real scrape after a real run: what all processes counted, and every query of dashboard and alerts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.harness import CALC, BotUnderTest, doubling, draft

DEPLOY = Path(__file__).parents[2] / "deploy"
Samples = dict[str, list[tuple[dict[str, str], float]]]


@pytest.fixture(scope="module")
def scraped() -> Iterator[str]:
    with BotUnderTest({"metrics_token": "for-monitoring"}) as bot:
        repo = bot.make_repo(files=CALC)
        bot.script([draft()], doubling())
        number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
        bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
        state = bot.finished(repo, "issue", number)
        assert state.status == "done", state.reason
        headers = {"authorization": "Bearer for-monitoring"}
        yield httpx.get(f"http://127.0.0.1:{bot.port}/metrics", headers=headers, timeout=60).text


def samples(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def total(found: Samples, name: str, **labels: str) -> float:
    return sum(value for has, value in found.get(f"scenarist_{name}", []) if labels.items() <= has.items())


def names(text: str) -> set[str]:
    """Names of series that the scrape has or declares: a counter that counted nothing has no sample yet."""
    found = set(samples(text))
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        found |= {f"{name}{end}" for end in ends}
    return found


def test_what_web_app_and_workers_counted_is_in_one_scrape(scraped: str) -> None:
    found = samples(scraped)
    assert total(found, "deliveries_total", forge="local", outcome="stored") >= 1, "by the web app"
    assert total(found, "runs_requested_total", kind="implement") == 1, "by the intake worker"
    assert total(found, "phases_ended_total", phase="publish", outcome="done") == 1, "by the publish worker"
    assert total(found, "phases_ended_total", phase="verify", outcome="done") == 1, "by the runs worker"
    assert total(found, "runs_ended_total", status="done", kind="implement") == 1
    assert total(found, "phase_seconds_count", phase="verify") == 1
    assert total(found, "tool_calls_total", tool="write_file", outcome="ok") == 2
    assert total(found, "tokens_total", type="prompt", role="analyst", model="scripted") == 500
    assert total(found, "tokens_total", type="prompt", role="driver", model="scripted") >= 4 * 900
    assert total(found, "turn_seconds_count", role="driver") >= 4
    assert total(found, "verdicts_total", status="green") == 1
    assert total(found, "database_up") == 1 and total(found, "open_runs") == 0
    assert "demo/" not in scraped and CALC.keys().isdisjoint(scraped.split('"')), "no repository, no file"


def queries() -> dict[str, str]:
    """Where a query stands -> the query."""
    found = {}
    dashboard = json.loads((DEPLOY / "grafana" / "scenarist.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            found[f"{panel['title']} {target['refId']}"] = target["expr"].replace("$__rate_interval", "5m")
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"].keys() == {"summary", "action"}, rule["alert"]
            found[rule["alert"]] = rule["expr"]
    return found


def selectors(query: str) -> Iterator[tuple[str, set[str]]]:
    """Each series that a query names, with its labels. Raises `ValueError` for what is no PromQL."""

    def walk(node: Any) -> Iterator[tuple[str, set[str]]]:
        selector = getattr(node, "vector_selector", node)
        if isinstance(selector, promql_parser.VectorSelector):
            yield selector.name, {matcher.name for matcher in selector.matchers.matchers}
        for part in ("lhs", "rhs", "expr"):
            if (below := getattr(node, part, None)) is not None:
                yield from walk(below)
        for argument in getattr(node, "args", None) or ():
            yield from walk(argument)

    yield from walk(promql_parser.parse(query))


def test_every_query_of_dashboard_and_alerts_names_metrics_that_there_are(scraped: str) -> None:
    known, found = names(scraped), queries()
    assert len(found) > 40
    used = set()
    for where, query in found.items():
        named = list(selectors(query))
        assert named, f"{where}: {query}"
        for name, _ in named:
            assert name in known, f"{where}: {name} is not in the scrape"
            used.add(name)
    assert any(value for name in used for _, value in samples(scraped).get(name, [])), "and some have values"


def test_queries_match_labels_that_the_metrics_have(scraped: str) -> None:
    labels = {name: set().union(*(has for has, _ in each)) for name, each in samples(scraped).items()}
    for where, query in queries().items():
        for name, matched in selectors(query):
            if name in labels:
                assert matched <= labels[name], f"{where}: {name} has no label {matched - labels[name]}"


def test_a_query_that_is_no_promql_or_has_a_typo_is_noticed(scraped: str) -> None:
    with pytest.raises(ValueError):
        list(selectors("sum by (forge (scenarist_deliveries_total)"))
    ((name, _),) = selectors('sum(rate(scenarist_delivery_total{forge="github"}[5m]))')
    assert name == "scenarist_delivery_total" and name not in names(scraped)
