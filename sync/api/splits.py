"""拆股。"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ..models import Split
from .forms import SplitForm
from .paging import Listing
from .permissions import MayList
from .schema import answers
from .shapes import SplitSerializer


class SplitList(Listing[Split]):
    """拆股和合股,新的在前。"""

    permission_classes = (MayList,)
    serializer_class = SplitSerializer
    form = SplitForm
    queryset = Split.objects.order_by("-ex_date", "-id")

    @extend_schema(
        operation_id="split_list",
        summary="List splits, newest first",
        description="1 share becomes `numerator`/`denominator` shares. `written` is "
        "empty where neither bars nor a restatement have shown which way `ratio` is "
        "meant; `adjusted` is null where the stored bars do not tell.",
        parameters=[SplitForm],
        responses=answers({200: SplitSerializer(many=True)}, 400, 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """列出拆股,新的在前。"""
        return super().get(request, *args, **kwargs)

    def filter_queryset(self, queryset: Any) -> Any:
        """按请求的参数筛选。"""
        market = self.wanted.get("market", "")
        rows = queryset.filter(market=market) if market else queryset
        if code := self.wanted.get("stock_code"):
            return rows.of_stock(code, market=market)
        return rows
