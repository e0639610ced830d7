"""回答的形状。"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ..models import Kline, MarketDay, Split, SyncFailure, SyncRun, SyncShard
from . import fields

Shape = serializers.Serializer[Any]


class FailureSerializer(serializers.ModelSerializer[SyncFailure]):
    """一条失败记录:表里的每一列,但不含只供页面链接用的两列。"""

    run = serializers.IntegerField(source="run_id", allow_null=True, read_only=True)

    class Meta:
        model = SyncFailure
        fields = (
            *("id", "market", "stock_code", "period", "start_date", "end_date"),
            *("failure_reason", "reason_class", "retry_count", "status"),
            *("last_retry_time", "create_time", "update_time", "run", "decided_by"),
        )
        read_only_fields = fields


class SplitSerializer(serializers.ModelSerializer[Split]):
    """一次拆股:1 股变成 numerator/denominator 股。"""

    class Meta:
        model = Split
        fields = (
            *("id", "market", "stock_code", "ex_date", "numerator", "denominator"),
            *("ratio", "written", "adjusted", "seen_at", "judged_at"),
        )
        read_only_fields = fields


class RunSerializer(serializers.ModelSerializer[SyncRun]):
    """一次运行。"""

    seconds = serializers.FloatField(read_only=True, help_text="0 until it has ended.")
    reasons = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    tokens_per_thread = serializers.ListField(
        child=serializers.IntegerField(), read_only=True
    )

    unserved = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="Markets of which nothing was asked: no token serves them.",
    )

    class Meta:
        model = SyncRun
        fields: tuple[str, ...] = (
            *("id", "kind", "state", "market", "period", "start_date", "end_date"),
            *("force", "max_retry_count", "requested_by"),
            *("stocks", "succeeded", "failed", "skipped", "klines", "dropped", "calls"),
            *(
                "reasons",
                "threads",
                "tokens_per_thread",
                "unserved",
                "error",
                "seconds",
            ),
            *("created_at", "started_at", "finished_at", "heartbeat_at"),
            *("cancel_requested_at", "cancelled_by", "waiting_until"),
        )
        read_only_fields = fields


class ShardSerializer(serializers.ModelSerializer[SyncShard]):
    """一个分片。"""

    class Meta:
        model = SyncShard
        fields = (
            *("number", "state", "attempts", "process", "error", "waits"),
            *("heartbeat_at", "leased_until", "resume_at"),
        )
        read_only_fields = fields


class RunDetailSerializer(RunSerializer):
    """一次运行,带着要的代码和它的分片。"""

    codes = serializers.ListField(child=serializers.CharField(), read_only=True)
    shards = ShardSerializer(many=True, read_only=True)

    class Meta(RunSerializer.Meta):
        fields = (*RunSerializer.Meta.fields, "codes", "shards")
        read_only_fields = fields


class WindowSerializer(Shape):
    """一个区间,头尾都含。"""

    start = serializers.DateField()
    end = serializers.DateField()


class FetchedSerializer(Shape):
    """会取的区间和原因。"""

    why = serializers.CharField(help_text="new, newer, older, hole or again")
    window = WindowSerializer()
    windows = serializers.IntegerField()


class DayCallsSerializer(Shape):
    """配额的一天和它的请求数。"""

    day = serializers.DateField()
    calls = serializers.IntegerField()


class OneMoreSerializer(Shape):
    """多一个 Token 会怎样。"""

    lanes = serializers.IntegerField()
    seconds = serializers.FloatField(
        allow_null=True, help_text="Null: more than 1000 days."
    )


class ForecastSerializer(Shape):
    """一次预演。"""

    stocks = serializers.IntegerField()
    skipped = serializers.IntegerField()
    calls_needed = serializers.IntegerField()
    calls_left_today = serializers.IntegerField(allow_null=True)
    seconds_expected = serializers.FloatField()
    tokens_per_thread = serializers.ListField(child=serializers.IntegerField())
    unserved = serializers.ListField(child=serializers.CharField())
    days = DayCallsSerializer(many=True)
    ends_at = serializers.DateTimeField(
        allow_null=True, help_text="Null: nothing to do, or more than 1000 days."
    )
    fetched = FetchedSerializer(many=True)
    sharing = serializers.ListField(
        child=serializers.IntegerField(), help_text="Active runs that want its tokens."
    )
    bars = serializers.IntegerField(help_text="About so many K-lines may come.")
    bytes = serializers.IntegerField(help_text="About so much disk they take.")
    one_more = OneMoreSerializer(
        allow_null=True, help_text="With one more token; null: nothing to do."
    )


class KlineSerializer(serializers.ModelSerializer[Any]):
    """一根 K 线;价格和数量是文字,一位也不丢。"""

    class Meta:
        model = Kline
        fields = ("time", "open", "high", "low", "close", "volume", "turnover")
        read_only_fields = fields


class KlinePageSerializer(Shape):
    """一页 K 线,旧的在前。"""

    market = fields.market()
    stock_code = fields.code()
    period = fields.period()
    next = serializers.URLField(allow_null=True)
    results = KlineSerializer(many=True)


class MarketDaySerializer(serializers.ModelSerializer[MarketDay]):
    """一个市场的一天。"""

    audited_at = serializers.DateTimeField(
        source="current_since",
        allow_null=True,
        read_only=True,
        help_text="When the day was counted; null where it was written to since.",
    )

    class Meta:
        model = MarketDay
        fields = (
            *("market", "period", "day", "expected", "present", "suspended"),
            *("missing", "waiting", "audited_at"),
        )
        read_only_fields = fields


class StoredPeriodSerializer(Shape):
    """一只股票一种周期存着的。"""

    period = fields.period()
    covered_from = serializers.DateField(allow_null=True)
    covered_to = serializers.DateField(allow_null=True)
    first_bar = serializers.DateTimeField(allow_null=True)
    last_bar = serializers.DateTimeField(allow_null=True)


class StockSerializer(Shape):
    """一只股票和它存着什么。"""

    market = serializers.CharField()
    stock_code = serializers.CharField()
    stock_name = serializers.CharField()
    exchange = serializers.CharField()
    deleted = serializers.BooleanField(help_text="No longer in the list of stocks.")
    periods = StoredPeriodSerializer(many=True)


class ErrorSerializer(Shape):
    """DRF 的错误。"""

    detail = serializers.CharField()
