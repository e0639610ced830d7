"""什么要告诉人:从存下来的东西里看出来,不另外问。"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from common.messages import Message
from sync.models import Restatement, RunKind, RunState, SyncRun
from sync.models.alerts import Rule
from tokens.models import ApiToken

from ..beats import upkeep_now
from ..quality.freshness import Freshness, SessionDay, freshness
from ..quality.states import DayState
from ..runs.lately import runs_since
from ..runs.total import wanted
from ..tokens.quota_today import quota_today

DAY = timedelta(days=1)
# So many tokens or series are told one by one; more of them make nobody wiser.
MOST = 50
FINE = (DayState.COMPLETE, DayState.CLOSED)


@dataclass(frozen=True, slots=True)
class Finding:
    """此刻成立的一件事:哪条规则,对什么,一句话。"""

    rule: Rule
    object: str
    text: Message

    @property
    def key(self) -> tuple[str, str]:
        """返回规则和对象:它们一样,就是同一个告警。"""
        return self.rule, self.object


def findings(*, at: datetime) -> list[Finding]:
    """列出此刻要告诉人的每一件事。"""
    return [
        *_markets(at),
        *_tokens(),
        *_worker(at),
        *_quota(at),
        *_runs(at),
        *_series(),
    ]


def _markets(at: datetime) -> Iterator[Finding]:
    for market in freshness(at=at):
        day = _due(market, at=at)
        if day and day.state not in FINE:
            yield Finding(Rule.MARKET_INCOMPLETE, market.market, _lacks(market, day))


def _due(market: Freshness, *, at: datetime) -> SessionDay | None:
    """按时间该齐全了的最近一个交易日:最后一个还没有到时间的,就是它的前一个。"""
    grace = timedelta(hours=settings.ALERT_MARKET_HOURS)
    days = market.days if at >= market.close + grace else market.days[:-1]
    return days[-1] if days else None


def _lacks(market: Freshness, day: SessionDay) -> Message:
    if day.state == DayState.UNKNOWN or day.row is None:
        return Message(
            "%(market)s is not known to be complete: the session of %(day)s was not "
            "audited after its close",
            market=market.market,
            day=f"{day.day}",
        )
    return Message(
        "%(market)s is not complete: of the session of %(day)s %(missing)d bars are "
        "missing, and %(late)d stocks were not fetched so far",
        market=market.market,
        day=f"{day.day}",
        missing=day.row.missing,
        late=day.late,
    )


def _tokens() -> Iterator[Finding]:
    for token in ApiToken.objects.refused().order_by("pk")[:MOST]:
        name = token.name or token.masked
        text = Message("The token %(token)s was refused and is disabled", token=name)
        yield Finding(Rule.TOKEN_REFUSED, str(token.pk), text)


def _worker(at: datetime) -> Iterator[Finding]:
    since = upkeep_now(at=at).silent_since
    if since:
        text = Message(
            "Nobody has done what the schedule asks since %(since)s UTC: is the job "
            "cluster running?",
            since=_moment(since),
        )
        yield Finding(Rule.WORKER_GONE, "", text)


def _quota(at: datetime) -> Iterator[Finding]:
    today = quota_today(wanted(), at=at)
    if today.tokens and today.short and today.left is not None:
        text = Message(
            "Today's quota is about %(short)d calls short until %(reset)s UTC: "
            "%(left)d are left",
            short=today.short,
            reset=_moment(today.resets_at),
            left=today.left,
        )
        yield Finding(Rule.QUOTA_SHORT, "", text)


def _runs(at: datetime) -> Iterator[Finding]:
    """最近一天里,同样的运行最后一次结束是失败的。"""
    told = set[str]()
    for run in runs_since(at - DAY):
        scope = _scope(run)
        if run.finished_at is None or scope in told:
            continue
        told.add(scope)
        if run.state == RunState.FAILED:
            yield Finding(Rule.RUN_FAILED, scope, _failed(run))


def _scope(run: SyncRun) -> str:
    if run.kind == RunKind.SINGLE:
        return f"{run.kind} {run.pk}"
    return f"{run.kind} {run.market[:60]} {run.period}".strip()


def _failed(run: SyncRun) -> Message:
    # The error itself may be long and is on the run's page.
    markets = run.market or Message("all markets")
    return Message("Run %(run)d (%(markets)s) has failed", run=run.pk, markets=markets)


def _series() -> Iterator[Finding]:
    rows = Restatement.objects.flagged().select_related("stock").order_by("pk")
    for row in rows[:MOST]:
        text = Message(
            "%(market)s %(code)s %(period)s has another history at the provider: keep "
            "it or take it over",
            market=row.stock.market,
            code=row.stock.stock_code,
            period=row.period,
        )
        yield Finding(Rule.SERIES_FLAGGED, str(row.pk), text)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
