"""manage.py audit_klines。"""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.commands import SpokenCommand
from sync import services
from sync.engine.markets import parse_day
from sync.engine.ports import Window
from sync.services import MarketAudit

LINES = 30
EXAMPLES = 10


class Command(SpokenCommand):
    """核对存着的 K 线。"""

    help = "Compare the stored K-lines with the exchanges' calendars."

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        parser.add_argument(
            "--market",
            action="extend",
            nargs="+",
            default=[],
            help="such as HK, one or several; default: all",
        )
        parser.add_argument(
            "--start", type=_date, required=True, help="first trade date"
        )
        parser.add_argument("--end", type=_date, required=True, help="last trade date")
        parser.add_argument(
            "--record",
            action="store_true",
            help="file each hole as a failure to fetch again",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, start: date, end: date, **options: Any) -> None:
        """执行命令。"""
        try:
            audits = services.audit(
                window=Window(start, end),
                wanted=[market.upper() for market in options["market"]],
                record=options["record"],
                at=services.now(),
            )
        except services.Refused as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(audits)))
            return
        for found in audits:
            self.stdout.writelines(line + "\n" for line in _lines(found))
        self.stdout.write(_advice(audits, record=options["record"]))


def _date(text: str) -> date:
    try:
        return parse_day(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is not a date: write it as YYYY-MM-DD"
        ) from None


def _as_json(audits: list[MarketAudit]) -> dict[str, object]:
    sums = ("holes", "recorded", "missing", "waiting", "suspended")
    by_market: dict[str, dict[str, object]] = {}
    for market, found in groupby(audits, key=lambda one: one.market):
        day, *others = found
        periods = {one.period: _market_json(one) for one in others}
        by_market[market] = _market_json(day) | {"periods": periods}
    return {"markets": by_market} | {
        name: sum(getattr(found, name) for found in audits) for name in sums
    }


def _market_json(found: MarketAudit) -> dict[str, object]:
    return {
        "stocks": found.stocks,
        "sessions": found.sessions,
        "holes": found.holes,
        "recorded": found.recorded,
        "missing": found.missing,
        "waiting": found.waiting,
        "suspended": found.suspended,
        "short_days": [
            {"date": str(day.day), "have": day.have, "of": day.of}
            for day in found.short_days
        ],
        "nobody_has": [str(day) for day in found.nobody],
        "closed_but_traded": [str(day) for day in found.closed],
        "calendar_ends": str(found.known.end) if found.known else None,
        "found": [
            {
                "stock_code": hole.stock.stock_code,
                "start": str(hole.window.start),
                "end": str(hole.window.end),
                "sessions": hole.sessions,
            }
            for hole in found.found
        ],
    }


def _lines(found: MarketAudit) -> Iterator[str]:
    name = found.market if found.period == "day" else f"{found.market} {found.period}"
    yield (
        f"{name}: {found.stocks:,} stocks, {found.sessions:,} sessions, "
        f"{found.missing:,} bars missing: {found.waiting:,} wait for a retry, "
        f"{found.suspended:,} taken for suspensions, the rest in {found.holes:,} holes"
    )
    if found.known is None:
        yield "  no calendar is known: every weekday on which others traded counts"
    short = [f"{day.day}: {day.have:,} of {day.of:,}" for day in found.short_days]
    yield from _some(short, "days")
    holes = [
        f"hole: {hole.stock.stock_code} from {hole.window.start} to {hole.window.end}"
        for hole in found.found[:EXAMPLES]
    ]
    yield from _some(holes, "holes", of=found.holes)
    doubt = "calendar in doubt:"
    nobody = [f"{doubt} {day}, no stock has a bar" for day in found.nobody]
    closed = [f"{doubt} {day}, stocks have bars" for day in found.closed]
    yield from _some([*nobody, *closed], "doubts")


def _some(lines: list[str], what: str, *, of: int = 0) -> Iterator[str]:
    """开头的几行;其余的只说有多少。"""
    shown = lines[:LINES]
    yield from (f"  {line}" for line in shown)
    if more := max(of, len(lines)) - len(shown):
        yield f"  … and {more:,} more {what}"


def _advice(audits: list[MarketAudit], *, record: bool) -> str:
    holes = sum(found.holes for found in audits)
    if not sum(found.stocks for found in audits):
        return "There is nothing to compare: no stock has coverage in this window."
    if not holes:
        return "No holes."
    if not record:
        return f"{holes:,} holes. File them with --record to have them fetched again."
    recorded = sum(found.recorded for found in audits)
    return f"{recorded:,} holes were filed: fetch them again with retry_failed."
