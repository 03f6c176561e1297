"""The Grafana dashboard and the rules in the guide ask for nothing that a run does not have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from phimask_plugins.observers.figures import METRICS

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
NAMES = {
    exposed: metric
    for metric in METRICS
    for exposed in (
        [f"{metric.name}_{part}" for part in ("bucket", "sum", "count")]
        if metric.kind == "histogram"
        else [metric.name]
    )
}
BY_SCRAPE = {"instance", "job", "le"}
"""Labels that Prometheus adds."""


def dashboard() -> Any:
    return json.loads((HOW_TO / "grafana-dashboard.json").read_text(encoding="utf-8"))


def targets() -> Iterator[tuple[str, str, str]]:
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def rules() -> list[str]:
    page = (HOW_TO / "watch-with-prometheus.md").read_text(encoding="utf-8")
    (body,) = re.findall(r"```yaml\n# rules.yml\n(.*?)```", page, re.DOTALL)
    return [rule["expr"] for group in yaml.safe_load(body)["groups"] for rule in group["rules"]]


def asked(query: str) -> set[str]:
    return set(re.findall(r"phimask_\w+", query))


def labels(query: str) -> set[str]:
    """Those that a query selects or groups by."""
    selected = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", query)
    grouped = [name for group in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", query) for name in group.split(",")]
    return {name.strip() for name in [*selected, *grouped]}


@pytest.mark.parametrize(
    ("title", "query", "legend"), [*targets(), *(("a rule", rule, "") for rule in rules())]
)
def test_every_metric_and_label_that_is_asked_for_exists(title: str, query: str, legend: str) -> None:
    names = asked(query)
    assert names, title
    assert names <= NAMES.keys()
    there = {label for name in names for label in NAMES[name].labels} | BY_SCRAPE
    assert labels(query) <= there
    assert set(re.findall(r"{{\s*(\w+)\s*}}", legend)) <= there


def test_every_bracket_of_a_query_is_closed() -> None:
    for _, query, _ in targets():
        assert query.count("(") == query.count(")")
        assert query.count("{") == query.count("}")


def test_the_dashboard_shows_every_metric() -> None:
    shown = {NAMES[name].name for _, query, _ in targets() for name in asked(query)}
    assert shown == {metric.name for metric in METRICS}


def test_the_dashboard_can_be_imported() -> None:
    board = dashboard()
    assert [one["name"] for one in board["__inputs"]] == ["DS_PROMETHEUS"]
    places = [panel["gridPos"] for panel in board["panels"]]
    taken = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert all(0 <= x < 24 for x, _ in taken)
    assert len({panel["id"] for panel in board["panels"]}) == len(places)
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] == "${DS_PROMETHEUS}"
    assert "label_values(phimask_run_info, instance)" in str(board["templating"])
