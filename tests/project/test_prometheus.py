"""Grafana 的面板和 Prometheus 的规则:问的指标和标签,/metrics 里都有。"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from tests import people
from tests.api import rows
from tests.fixtures import MakeToken

NAME = re.compile(r"\bstocksync_\w+")
SELECTED = re.compile(r"\b(stocksync_\w+)\{([^}]*)\}")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")


def of_dashboard(root: Path) -> Iterator[str]:
    board = json.loads((root / "docs/grafana/stocksync.json").read_text())
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (each["query"] for each in board["templating"]["list"])


def of_rules(root: Path) -> Iterator[str]:
    file = yaml.safe_load((root / "docs/prometheus/rules.yml").read_text())
    for group in file["groups"]:
        for rule in group["rules"]:
            assert rule["alert"].startswith("Stocksync")
            assert rule["labels"]["severity"] in {"info", "warning", "critical"}
            assert rule["annotations"]["summary"]
            yield rule["expr"]


def metrics() -> dict[str, set[str]]:
    """每个指标有哪些标签。"""
    answer = people.signed_in().get("/metrics").content.decode()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(answer):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def everything(make_token: MakeToken) -> None:
    """什么都有一点,这样每个指标都有值。"""
    now = timezone.now()
    stock = rows.stock()
    rows.kline(stock, datetime(2024, 3, 6, tzinfo=UTC))
    rows.failure()
    token = make_token(daily_limit=100)
    run = rows.run(state="running", started_at=now)
    lane = {
        "number": 0,
        "code": "700",
        "tokens": [{"id": token.pk, "used": 1, "minute": 5}],
    }
    work = {"lanes": [lane]}
    rows.shard(run, state="running", heartbeat_at=now, work=work)
    ended = {"started_at": now - timedelta(minutes=9), "finished_at": now}
    rows.run(state="succeeded", **ended)


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_cache")
def test_each_query_names_metrics_and_labels_that_exist(
    root: Path, make_token: MakeToken
) -> None:
    everything(make_token)
    # These come only of what takes an audit and a verification to have.
    known = metrics() | {
        "stocksync_market_bars": {"market", "result"},
        "stocksync_verified_wrong_ratio": set(),
        "stocksync_verified_wrong_ratio_bound": {"end"},
    }
    queries = [*of_dashboard(root), *of_rules(root)]

    asked = {name for query in queries for name in NAME.findall(query)}
    labels = [
        (name, label)
        for query in queries
        for name, chosen in SELECTED.findall(query)
        for label in LABEL.findall(chosen)
        if label != "job"  # Prometheus's own
    ]

    assert asked - set(known) == set()
    assert [pair for pair in labels if pair[1] not in known[pair[0]]] == []
    assert len(asked) > 20


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_cache")
def test_each_metric_is_on_the_dashboard(root: Path, make_token: MakeToken) -> None:
    everything(make_token)

    shown = {name for query in of_dashboard(root) for name in NAME.findall(query)}

    left_out = {name for name in metrics() if name not in shown}
    # Parts of a histogram, and the numbers of one run, which its page has.
    assert left_out == {
        *("stocksync_run_duration_seconds_gcount", "stocksync_verified_bars"),
        *("stocksync_run_duration_seconds_gsum", "stocksync_last_run_seconds"),
        *("stocksync_last_run_klines", "stocksync_last_run_calls"),
        *("stocksync_market_stocks", "stocksync_quota_reset_timestamp_seconds"),
        "stocksync_market_last_close_timestamp_seconds",
    }
