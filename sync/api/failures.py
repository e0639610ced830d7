"""失败记录:列出,补拉。"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from .. import services
from ..models import SyncFailure
from .forms import FailureForm, RetryForm, checked
from .guard import Guarded
from .paging import Listing
from .parsers import Json
from .permissions import MayList, MayRetry
from .schema import answers
from .shapes import FailureSerializer, RunDetailSerializer

FILTERS = ("market", "status", "reason_class", "period", "run")


class FailureList(Listing[SyncFailure]):
    """失败记录,新的在前。"""

    permission_classes = (MayList,)
    serializer_class = FailureSerializer
    form = FailureForm
    queryset = SyncFailure.objects.all()

    @extend_schema(
        operation_id="failure_list",
        summary="List failures, newest first",
        description="`stockCode` is taken for `stock_code`, too.",
        parameters=[FailureForm],
        responses=answers({200: FailureSerializer(many=True)}, 400, 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """列出失败记录,新的在前。"""
        return super().get(request, *args, **kwargs)

    def filter_queryset(self, queryset: Any) -> Any:
        """按请求的参数筛选。"""
        wanted = self.wanted
        named = {name: wanted[name] for name in FILTERS if name in wanted}
        rows = queryset.filter(**named)
        if code := wanted.get("stock_code"):
            return rows.of_stock(code, market=wanted.get("market", ""))
        return rows


class RetryFailed(Guarded):
    """补拉等待中的失败记录。"""

    permission_classes = (MayRetry,)
    # The plan's own takes its values from the query or from a form.
    parser_classes = (Json, FormParser, MultiPartParser)

    @extend_schema(
        operation_id="retry_failed",
        summary="Fetch again what failed, in the background",
        description="The values may be given in the query or as a form, too, and by "
        "the names `stockCode` and `maxRetryCount`.",
        request={"application/json": RetryForm},
        responses=answers({202: RunDetailSerializer}, 400, 409, 415),
    )
    def post(self, request: Request) -> Response:
        """登记一次补拉。"""
        query = checked(RetryForm, request.query_params)
        run = services.retry_failed(
            **query | checked(RetryForm, request.data),
            at=services.now(),
            by=request.user.get_username(),
            background=True,
        )
        return Response(RunDetailSerializer(run).data, status=status.HTTP_202_ACCEPTED)
