"""healthz 和 metrics。"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from sync.api import health
from sync.models import Alert, SyncFailure
from sync.services import setup_schedules
from tests import people
from tests.fixtures import MakeToken

from . import rows

HOUR = timedelta(hours=1)
Samples = dict[tuple[str, ...], float]


def scraped(client: APIClient) -> Samples:
    """名字和标签的值 → 数字。"""
    answer = client.get("/metrics", HTTP_ACCEPT="text/plain;version=0.0.4")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name.removeprefix("stocksync_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


@pytest.mark.django_db
def test_health_says_ok_and_no_more(client: APIClient) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b'{"status": "ok"}')
    assert "no-store" in answer["Cache-Control"]
    assert client.post("/healthz").status_code == 405


@pytest.mark.django_db
def test_health_is_503_without_details_when_the_database_is_gone(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "/no/such/folder/database")

    answer = client.get("/healthz")

    assert answer.status_code == 503
    assert answer.content == b'{"status": "unavailable"}'


@pytest.mark.django_db
@pytest.mark.needs("mariadb")  # SQLite has no server
def test_health_does_not_wait_long_for_a_server() -> None:
    options = health._probe().settings_dict["OPTIONS"]

    waits = ("connect_timeout", "read_timeout", "write_timeout")
    assert {options[name] for name in waits} == {health.LONGEST}
    assert connection.settings_dict["OPTIONS"]["read_timeout"] > health.LONGEST


@pytest.mark.django_db
def test_runs_are_counted_by_state_and_a_missing_state_is_nought() -> None:
    for state in ("failed", "failed", "running"):
        rows.run(state=state)

    samples = scraped(people.signed_in())

    assert samples["runs", "failed"] == 2
    assert samples["runs", "running"] == 1
    assert samples["runs", "queued"] == 0


@pytest.mark.django_db
def test_failures_that_wait_are_counted_by_reason() -> None:
    rows.failure()
    rows.failure(reason_class="hole")
    rows.failure(reason_class='a "quoted"\nname')
    rows.failure(status=1)
    rows.failure(status=2)

    samples = scraped(people.signed_in())

    assert samples["failures_waiting", "timeout"] == 1
    assert samples["failures_waiting", "hole"] == 1
    assert samples["failures_waiting", 'a "quoted"\nname'] == 1


@pytest.mark.django_db
def test_failures_are_not_counted_at_every_scrape() -> None:
    rows.failure()
    scraped(people.signed_in())
    SyncFailure.objects.all().delete()

    assert scraped(people.signed_in())["failures_waiting", "timeout"] == 1


@pytest.mark.django_db
def test_tokens_are_counted_by_what_they_are_doing(make_token: MakeToken) -> None:
    now = timezone.now()
    today = now.date()
    make_token(daily_used=7, reserved=2, usage_date=today)
    make_token(daily_limit=5, daily_used=5, usage_date=today)
    make_token(daily_limit=5, daily_used=5, usage_date=today - timedelta(days=2))
    make_token(resting_until=now + HOUR)
    make_token(leased_by="run 1", leased_until=now + HOUR)
    make_token(leased_by="run 0", leased_until=now - HOUR)
    make_token(status=0, daily_used=3, usage_date=today)
    make_token(expire_time=now - HOUR)
    make_token(deleted=True)

    samples = scraped(people.signed_in())

    assert samples["tokens_usable",] == 6
    assert samples["tokens_leased",] == 1
    assert samples["tokens_resting",] == 1
    assert samples["tokens_at_daily_limit",] == 1
    assert samples["calls_today",] == 7 - 2 + 5 + 3


@pytest.mark.django_db
def test_the_last_run_that_ended_is_told() -> None:
    ended = rows.AT + timedelta(seconds=90)
    rows.run(started_at=rows.AT, finished_at=ended, klines=1, calls=1)
    rows.run(started_at=rows.AT, finished_at=ended, klines=75, calls=3)
    rows.run(state="running", started_at=rows.AT, klines=9)

    samples = scraped(people.signed_in())

    assert samples["last_run_seconds",] == 90
    assert samples["last_run_klines",] == 75
    assert samples["last_run_calls",] == 3


@pytest.mark.django_db
def test_shards_at_work_tell_how_long_ago_their_last_heartbeat_was() -> None:
    run = rows.run(state="running")
    rows.shard(run, number=0, state="running", heartbeat_at=timezone.now() - HOUR)
    rows.shard(run, number=1, state="done")

    samples = scraped(people.signed_in())

    age = samples["shard_heartbeat_age_seconds", str(run.pk), "0"]
    assert 3600 <= age < 3660
    assert ("shard_heartbeat_age_seconds", str(run.pk), "1") not in samples


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_cache")
def test_a_market_tells_how_new_and_how_complete_it_is() -> None:
    # Of a market that nobody has audited nobody knows whether it is complete.
    rows.kline(rows.stock(), datetime(2024, 3, 6, tzinfo=UTC))
    rows.stock("5")

    samples = scraped(people.signed_in())

    assert samples["market_stocks", "HK"] == 2
    assert samples["market_complete", "HK"] == 0
    assert samples["market_stocks_late", "HK"] == 1
    assert samples["market_stocks_empty", "HK"] == 1
    assert samples["market_sessions_late", "HK"] > 600
    newest = samples["market_newest_bar_timestamp_seconds", "HK"]
    assert newest == datetime(2024, 3, 6, tzinfo=UTC).timestamp()
    close = samples["market_last_close_timestamp_seconds", "HK"]
    assert 0 < timezone.now().timestamp() - close < 30 * 86_400
    assert not [key for key in samples if key[0] == "market_bars"]


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_cache")
def test_the_days_quota_and_what_runs_want_of_it(make_token: MakeToken) -> None:
    today = timezone.now().date()
    make_token(daily_limit=100, daily_used=7, reserved=2, usage_date=today)
    run = rows.run(state="queued", stocks=200)

    samples = scraped(people.signed_in())

    assert (samples["quota_used_calls",], samples["quota_left_calls",]) == (5, 93)
    assert samples["run_stocks_left", str(run.pk)] == 200
    assert samples["quota_committed_calls",] == 200
    assert samples["quota_short_calls",] == 200 - samples["quota_left_calls",]
    assert samples["quota_reset_timestamp_seconds",] > timezone.now().timestamp()


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_cache")
def test_durations_of_the_last_day_are_a_histogram() -> None:
    now = timezone.now()
    for seconds in (30, 60, 61, 100_000):
        began = now - timedelta(seconds=seconds)
        rows.run(state="succeeded", started_at=began, finished_at=now)
    old = {"started_at": now - 30 * HOUR, "finished_at": now - 25 * HOUR}
    rows.run(state="succeeded", **old)

    samples = scraped(people.signed_in())

    def below(bound: str) -> float:
        return samples["run_duration_seconds_bucket", "batch", bound]

    bounds = ("60", "300", "43200", "+Inf")
    assert [below(each) for each in bounds] == [2, 3, 3, 4]


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_cache")
def test_lanes_alerts_and_jobs_are_counted() -> None:
    now = timezone.now()
    tokens = [{"id": number, "used": 0, "minute": 5} for number in range(6)]
    lanes = [{"number": 1, "code": "700", "tokens": tokens}]
    run = rows.run(state="running")
    rows.shard(run, state="running", heartbeat_at=now, work={"lanes": lanes})
    Alert.objects.create(rule="token_refused", object="1", since=now, seen_at=now)
    setup_schedules(at=now - HOUR)

    samples = scraped(people.signed_in())

    assert samples["lane_tokens", "2", str(run.pk)] == 6
    assert samples["alerts_open", "token_refused"] == 1
    assert samples["alerts_open", "worker_gone"] == 0
    assert samples["alert_deliveries", "waiting"] == 0
    assert samples["jobs_queued",] == 0
    assert 3600 <= samples["schedule_silent_seconds",] < 3700


@pytest.mark.django_db
def test_an_empty_database_has_numbers_too() -> None:
    samples = scraped(people.signed_in())

    assert samples["tokens_usable",] == samples["calls_today",] == 0
    assert ("last_run_seconds",) not in samples


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_cache")
def test_a_scrape_is_few_queries_and_fewer_soon_after(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client = people.signed_in()

    # Session, user; runs, failures, tokens, flagged series, last run, verification,
    # shards; lanes, durations, jobs, alerts, deliveries, schedules. Remembered:
    # failures, markets, quota.
    with django_assert_num_queries(21):
        client.get("/metrics")
    with django_assert_num_queries(14):
        client.get("/metrics")


@pytest.mark.django_db
def test_a_refusal_is_json_whatever_was_asked_for() -> None:
    answer = APIClient().get("/metrics", HTTP_ACCEPT="text/plain")

    assert answer.status_code == 401
    assert "detail" in answer.json()
