"""一次运行的数字。"""

from __future__ import annotations

from sync.engine.ports import Progress


def test_stocks_that_succeeded_before_count_as_succeeded_when_met_again() -> None:
    progress = Progress(stocks=3, succeeded=3, again=3)

    for _ in range(5):
        progress.skip(1)

    assert (progress.stocks, progress.succeeded, progress.skipped) == (5, 3, 2)


def test_many_are_skipped_at_once() -> None:
    progress = Progress(stocks=3, succeeded=3, again=3)

    progress.skip(10)

    assert progress == Progress(stocks=10, succeeded=3, skipped=7)
