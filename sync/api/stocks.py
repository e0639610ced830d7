"""股票的目录。"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from .. import services
from ..models import Stock
from .forms import StockForm
from .paging import Listing
from .permissions import MayList
from .schema import answers
from .shapes import StockSerializer


class StockList(Listing[Stock]):
    """股票和它们存着什么,按市场和代码排列;删除了的也在,它们的 K 线还在。"""

    permission_classes = (MayList,)
    serializer_class = StockSerializer
    form = StockForm
    queryset = Stock.objects.order_by("market", "stock_code")

    @extend_schema(
        operation_id="stock_list",
        summary="List stocks and what is stored of each, by market and code",
        description="`periods` has an entry for each period of which anything is "
        "stored. Dates from `covered_from` to `covered_to` are complete and final; "
        "`first_bar` and `last_bar` are the times of the first and the last K-line "
        "there is.",
        parameters=[StockForm],
        responses=answers({200: StockSerializer(many=True)}, 400, 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """列出股票和它们存着什么。"""
        return super().get(request, *args, **kwargs)

    def filter_queryset(self, queryset: Any) -> Any:
        """按请求的参数筛选。"""
        market = self.wanted.get("market", "")
        stocks = queryset.filter(market=market) if market else queryset
        if code := self.wanted.get("stock_code"):
            return stocks.of_stock(code, market=market)
        return stocks

    def paginate_queryset(self, queryset: Any) -> Any:
        """这一页的股票,带着存着的周期。"""
        stocks = super().paginate_queryset(queryset)
        assert stocks is not None
        stored = services.catalogue(stocks)
        return [
            {
                "market": stock.market,
                "stock_code": stock.stock_code,
                "stock_name": stock.stock_name,
                "exchange": stock.exchange,
                "deleted": stock.deleted,
                "periods": stored[stock.pk],
            }
            for stock in stocks
        ]
