"""市场日:核对写下每天有几根、缺几根,缺的是什么。"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from sync.engine.ports import Window
from sync.models import MarketDay, Suspension, SyncFailure
from sync.services import audit
from sync.services.quality import audit as auditing
from tests.rows import AT

from .auditing import SATURDAY, SESSIONS, audited, loaded, march

pytestmark = pytest.mark.django_db

Numbers = tuple[int, int, int, int, int]


def rows(market: str = "HK", period: str = "day") -> dict[int, Numbers]:
    """每一天的五个数:该有、有、停牌、缺、其中等着补拉的。"""
    found = MarketDay.objects.filter(market=market, period=period)
    return {
        row.day.day: (
            *(row.expected, row.present, row.suspended, row.missing, row.waiting),
        )
        for row in found.order_by("day")
    }


def test_each_session_has_a_row_with_its_numbers() -> None:
    loaded("1")
    loaded("2", without=march(5, 6))
    three = loaded("3", without=march(5))
    Suspension.objects.create(
        stock=three, period="day", start_date=march(4)[0], end_date=march(5)[0]
    )

    audited()

    assert list(rows()) == [day.day for day in SESSIONS]
    assert rows()[4] == (3, 3, 0, 0, 0)
    assert rows()[5] == (3, 1, 1, 1, 0)
    assert rows()[6] == (3, 2, 0, 1, 0)
    assert MarketDay.objects.filter(audited_at=AT).count() == 10


def test_what_is_filed_waits_at_the_next_audit_and_is_missing_still() -> None:
    loaded("1")
    loaded("2", without=march(5))

    audited(record=True)
    audited()

    assert rows()[5] == (2, 1, 0, 1, 1)


def test_what_was_asked_for_in_vain_is_suspended() -> None:
    loaded("1")
    loaded("2", without=march(5))
    audited(record=True)
    SyncFailure.objects.all().settle(at=AT)

    audited()

    assert rows()[5] == (2, 1, 1, 0, 0)


def test_a_day_on_which_nobody_traded_expects_nothing_if_many_bear_witness() -> None:
    loaded("1", without=march(4))
    loaded("2", without=march(4))

    audited()
    assert rows()[4] == (0, 0, 0, 0, 0)

    for code in "345":
        loaded(code, covered=None, days=[])
    MarketDay.objects.all().delete()
    audited()
    assert 4 not in rows()


def test_a_session_on_a_saturday_has_a_row_and_a_stray_bar_makes_none() -> None:
    loaded("1", days=[*SESSIONS, SATURDAY])
    two = loaded("2", days=[*SESSIONS, SATURDAY])
    loaded("3")

    audited()
    assert rows()[7] == (3, 2, 0, 1, 0)

    two.kline_set.filter(time__date=SATURDAY).delete()
    audited()
    assert 7 not in rows()


def test_days_outside_the_window_and_newer_ones_are_left_alone() -> None:
    loaded("1")
    loaded("2", without=march(5))
    audited(window=Window(*march(2, 4)))
    newer = AT + timedelta(minutes=1)
    audit(window=Window(*march(5, 5)), at=newer)
    MarketDay.objects.filter(day=march(5)[0]).update(present=77)

    audited(window=Window(*march(5, 13)))

    assert rows()[5][1] == 77
    assert len(rows()) == 10


def test_weeks_and_months_are_audited_by_their_units() -> None:
    mondays, firsts = march(2, 9), [date(2026, 1, 1), date(2026, 2, 1)]
    for period, days, covered in (
        ("week", mondays, Window(*march(2, 15))),
        ("month", firsts, Window(date(2026, 1, 1), date(2026, 2, 28))),
    ):
        loaded(f"1{period}", days=days, covered=covered, period=period)
        loaded(f"2{period}", days=days, covered=covered, period=period)
        hollow = loaded(f"3{period}", days=days, covered=covered, period=period)
        hollow.kline_set.filter(time__date=days[-1]).delete()

    window = Window(date(2026, 1, 7), date(2026, 3, 18))
    audit(window=window, at=AT - timedelta(hours=1))
    found = audit(window=window, at=AT)

    assert [(one.period, one.holes) for one in found] == [
        ("day", 0),
        ("week", 1),
        ("month", 1),
    ]
    assert rows(period="week") == {2: (3, 3, 0, 0, 0), 9: (3, 2, 0, 1, 0)}
    assert rows(period="month") == {1: (3, 2, 0, 1, 0)}
    assert found[1].found[0].window == Window(*march(9, 9))
    assert MarketDay.objects.filter(audited_at=AT).count() == MarketDay.objects.count()


def test_an_audit_that_is_killed_leaves_the_days_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded("1")
    loaded("2")
    audited()
    before = rows()
    for stock in (loaded("3", without=march(5)), loaded("4", without=march(9))):
        assert stock.pk
    monkeypatch.setattr(auditing, "CHUNK", 1)
    monkeypatch.setattr(auditing, "file_holes", _killed_the_second_time())

    with pytest.raises(KeyboardInterrupt):
        audited(record=True)
    assert rows() == before

    monkeypatch.undo()
    result = audited(record=True)
    assert (result.holes, result.waiting, result.recorded) == (1, 1, 1)
    assert SyncFailure.objects.count() == 2


def _killed_the_second_time() -> object:
    calls = iter([auditing.file_holes])

    def killed(*given: object, **named: object) -> object:
        file_holes = next(calls, None)
        if file_holes is None:
            raise KeyboardInterrupt
        return file_holes(*given, **named)  # type: ignore[arg-type]

    return killed
