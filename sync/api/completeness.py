"""每个市场每一天的完整程度。"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ..models import MarketDay
from .forms import CompletenessForm
from .paging import Listing
from .permissions import MayList
from .schema import answers
from .shapes import MarketDaySerializer

# What is asked for, and how the query says it.
FILTERS = {
    "market": "market",
    "period": "period",
    "start": "day__gte",
    "end": "day__lte",
}


class Completeness(Listing[MarketDay]):
    """各市场每一天该有和真的有多少根 K 线,按市场和日期排列。"""

    permission_classes = (MayList,)
    serializer_class = MarketDaySerializer
    form = CompletenessForm
    queryset = MarketDay.objects.order_by("market", "day")

    @extend_schema(
        operation_id="completeness_list",
        summary="List market days as the audit found them, by market and day",
        description="`expected` is the sum of `present`, `suspended` and `missing`; "
        "`waiting` of the missing are fetched by the next retry. Days that were never "
        "audited have no row.",
        parameters=[CompletenessForm],
        responses=answers({200: MarketDaySerializer(many=True)}, 400, 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """列出市场日,按市场和日期。"""
        return super().get(request, *args, **kwargs)

    def filter_queryset(self, queryset: Any) -> Any:
        """按请求的参数筛选。"""
        found = FILTERS.items()
        return queryset.filter(
            **{
                column: self.wanted[name]
                for name, column in found
                if name in self.wanted
            }
        )
