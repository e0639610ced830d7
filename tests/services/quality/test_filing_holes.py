"""缺口登记成失败;`audit_klines` 怎样说。"""

from __future__ import annotations

import json
from functools import partial
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from sync.engine.ports import Window
from sync.models import FailureStatus, SyncFailure
from sync.services import Refused, audit, retry_failed
from sync.services.quality import audit as auditing
from tests.fixtures import MakeToken
from tests.racing import at_once
from tests.rows import AT

from .auditing import (
    FIRST,
    LAST,
    SATURDAY,
    SESSIONS,
    WINDOW,
    audited,
    filed,
    loaded,
    march,
)


@pytest.mark.django_db
def test_holes_are_filed_only_when_asked() -> None:
    loaded("1")
    loaded("2", without=march(5, 6))

    before, result = audited(), audited(record=True)

    assert (before.holes, before.recorded) == (1, 0)
    assert (result.holes, result.recorded) == (1, 1)
    row = SyncFailure.objects.get()
    assert (row.market, row.stock_code, row.period) == ("HK", "2", "day")
    assert row.window == Window(*march(5, 6))
    assert (row.reason_class, row.status, row.run_id) == ("hole", 0, None)
    assert row.failure_reason == (
        "no bar on 2 sessions on which others of the market have one"
    )


@pytest.mark.django_db
def test_what_waits_already_is_not_filed_again() -> None:
    loaded("1")
    loaded("2", without=march(5, 6))
    audited(record=True)

    result = audited(record=True)

    assert (result.missing, result.waiting, result.holes) == (2, 2, 0)
    assert len(filed()) == 1


@pytest.mark.django_db
def test_a_row_that_a_retry_holds_stays_with_it(make_token: MakeToken) -> None:
    make_token()
    loaded("1")
    hollow = loaded("2", without=march(5))
    audited(record=True)
    retry = retry_failed(at=AT)
    hole = auditing.Hole(hollow, "day", Window(*march(5, 5)), 1)

    recorded = auditing.file_holes([hole], at=AT)

    assert recorded == 0
    assert SyncFailure.objects.get().run_id == retry.pk


@pytest.mark.django_db
def test_a_hole_that_was_fetched_again_and_is_there_still_is_a_suspension() -> None:
    loaded("1")
    loaded("2", without=march(5, 6))
    audited(record=True)
    SyncFailure.objects.all().settle(at=AT)

    result = audited(record=True)

    assert (result.missing, result.suspended, result.recorded) == (2, 2, 0)


@pytest.mark.django_db
def test_a_hole_that_was_given_up_is_a_suspension_whatever_the_last_reason() -> None:
    loaded("1")
    loaded("2", without=march(5, 6))
    audited(record=True)
    SyncFailure.objects.all().fail_again(reason="timeout", text="-", most=1, at=AT)

    result = audited(record=True)

    assert SyncFailure.objects.get().status == FailureStatus.GIVEN_UP
    assert (result.missing, result.suspended, result.recorded) == (2, 2, 0)


@pytest.mark.django_db
def test_of_a_suspension_that_goes_on_only_the_new_days_are_filed() -> None:
    loaded("1")
    two = loaded("2", without=march(5, 6, 9), covered=Window(*march(2, 6)))
    audited(record=True)
    SyncFailure.objects.all().settle(at=AT)
    two.coverage.update(end_date=LAST)

    audited(record=True)

    assert filed() == [("2", *march(5, 6)), ("2", *march(9, 9))]


@pytest.mark.django_db
@pytest.mark.parametrize("status", [FailureStatus.DONE, FailureStatus.GIVEN_UP])
def test_another_failure_about_a_whole_range_hides_no_hole(
    status: FailureStatus,
) -> None:
    loaded("1")
    loaded("2", without=march(5))
    SyncFailure.objects.create(
        stock_code="2",
        market="HK",
        start_date=FIRST,
        end_date=LAST,
        reason_class="timeout",
        status=status,
    )

    result = audited(record=True)

    assert result.recorded == 1


@pytest.mark.django_db
def test_a_failure_of_another_period_or_market_hides_no_hole() -> None:
    loaded("1")
    loaded("2", without=march(5))
    for columns in ({"period": "60m"}, {"market": "US"}):
        SyncFailure.objects.create(
            **{"stock_code": "2", "market": "HK", **columns},
            start_date=FIRST,
            end_date=LAST,
        )

    result = audited(record=True)

    assert result.recorded == 1


@pytest.mark.django_db(transaction=True)
def test_two_audits_at_once_file_each_hole_once() -> None:
    loaded("1")
    loaded("2", without=march(5))
    loaded("3", without=march(5, 9))

    results = at_once([partial(audited, record=True)] * 3)

    assert sum(result.recorded for result in results) == 3
    assert filed() == [
        ("2", *march(5, 5)),
        ("3", *march(5, 5)),
        ("3", *march(9, 9)),
    ]


def command(*arguments: str) -> str:
    out = StringIO()
    call_command(
        "audit_klines", f"--start={FIRST}", f"--end={LAST}", *arguments, stdout=out
    )
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_prints_days_holes_and_doubts() -> None:
    loaded("1", without=march(11))
    loaded("2", without=march(5, 11))

    text = command()

    assert "HK: 2 stocks, 10 sessions, 1 bars missing" in text
    assert "2026-03-05: 1 of 2\n" in text
    assert "hole: 2 from 2026-03-05 to 2026-03-05" in text
    assert "in doubt: 2026-03-11, no stock has a bar" in text
    assert text.endswith(
        "1 holes. File them with --record to have them fetched again.\n"
    )


@pytest.mark.django_db
def test_the_command_prints_one_object_with_json() -> None:
    loaded("1", days=[*SESSIONS, SATURDAY], without=march(11))
    loaded("2", without=march(5, 11))

    printed = json.loads(command("--json", "--record", "--market", "hk"))

    of_market = printed["markets"].pop("HK")
    assert (printed["markets"], printed["holes"], printed["recorded"]) == ({}, 1, 1)
    assert of_market["short_days"] == [{"date": "2026-03-05", "have": 1, "of": 2}]
    assert of_market["nobody_has"] == ["2026-03-11"]
    assert of_market["closed_but_traded"] == ["2026-03-07"]
    assert (of_market["stocks"], of_market["sessions"]) == (2, 10)


@pytest.mark.django_db
def test_many_holes_are_summed_up() -> None:
    loaded("1")
    for number in range(2, 15):
        loaded(f"{number:02}", without=march(5))

    text = command("--record")

    assert text.count("  hole: ") == 10
    assert "  … and 3 more holes\n" in text
    assert text.endswith("13 holes were filed: fetch them again with retry_failed.\n")


@pytest.mark.django_db
def test_an_empty_database_is_said_in_words() -> None:
    assert command().startswith("There is nothing to compare")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--start=2026-03-02", "--end=2026-03-01"], "is after the end"),
        (["--start=2026-03-02", "--end=03/09"], "'03/09' is not a date"),
        (["--start=20260302", "--end=2026-03-09"], "'20260302' is not a date"),
        (["--start=2026-03-02", "--end=2026-03-09", "--market=XX"], "Unknown market"),
    ],
)
def test_bad_values_are_refused(arguments: list[str], text: str) -> None:
    with pytest.raises(CommandError, match=text):
        call_command("audit_klines", *arguments)


@pytest.mark.django_db
def test_an_unknown_market_is_refused_before_anything_is_filed() -> None:
    loaded("1")
    loaded("2", without=march(5))

    with pytest.raises(Refused):
        audit(window=WINDOW, at=AT, wanted=["HK", "XX"], record=True)

    assert filed() == []
