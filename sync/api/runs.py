"""运行:列出,看一次,开始,取消。"""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.generics import RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from tokens.conditions import holds

from .. import services
from ..models import SyncRun
from .forms import NoForm, RunFilterForm, RunForm, checked, request_of
from .guard import Guarded
from .paging import Listing
from .permissions import MayList, MayListOrRun, MayRun
from .schema import answers
from .shapes import ForecastSerializer, RunDetailSerializer, RunSerializer


class RunList(Listing[SyncRun]):
    """运行,新的在前;登记一次新的。"""

    permission_classes = (MayListOrRun,)
    serializer_class = RunSerializer
    form = RunFilterForm
    # A run may name thousands of codes: they are for the page of one run.
    queryset = SyncRun.objects.defer("codes")

    @extend_schema(
        operation_id="run_list",
        summary="List runs, newest first",
        description="With a market: the runs that include it.",
        parameters=[RunFilterForm],
        responses=answers({200: RunSerializer(many=True)}, 400, 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """列出运行,新的在前。"""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="run_start",
        summary="Start a run, in the background",
        description="No market means all, no code all stocks, no end up to today, no "
        "period days. What is there already is not fetched again, unless forced.",
        request=RunForm,
        responses=answers({202: RunDetailSerializer}, 400, 409, 415),
    )
    def post(self, request: Request) -> Response:
        """登记一次运行。"""
        wanted = _wanted(request)
        by = request.user.get_username()
        run = services.start(wanted, at=services.now(), by=by, background=True)
        return Response(RunDetailSerializer(run).data, status=status.HTTP_202_ACCEPTED)

    def filter_queryset(self, queryset: Any) -> Any:
        """筛选;没有写市场的运行是所有市场的。"""
        wanted = self.wanted
        if market := wanted.get("market"):
            queryset = queryset.filter(Q(market="") | holds("market", market))
        named = {name: wanted[name] for name in ("state", "kind") if name in wanted}
        return queryset.filter(**named)


class RunForecast(Guarded):
    """预演一次运行。"""

    permission_classes = (MayRun,)

    @extend_schema(
        operation_id="run_forecast",
        summary="Tell what a run would cost, without starting it",
        description="The same values as for a run; nothing is changed and nobody is "
        "asked. Calls are told by the day of quota that they fall on.",
        request=RunForm,
        responses=answers({200: ForecastSerializer}, 400, 409, 415),
    )
    def post(self, request: Request) -> Response:
        """预演一次运行,什么也不改变。"""
        wanted = _wanted(request)
        forecast = services.forecast(wanted, at=services.now())
        return Response(ForecastSerializer(forecast).data)


class RunDetail(Guarded, RetrieveAPIView[SyncRun]):
    """一次运行,带着进度和分片。"""

    permission_classes = (MayList,)
    serializer_class = RunDetailSerializer
    queryset = SyncRun.objects.prefetch_related("shards")

    @extend_schema(
        operation_id="run_detail",
        summary="See a run: numbers so far, shards",
        description="The numbers are saved about once a second.",
        responses=answers({200: RunDetailSerializer}, 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """返回一次运行,带着数字和分片。"""
        return super().get(request, *args, **kwargs)

    def get_object(self) -> SyncRun:
        """要看的那一次。"""
        checked(NoForm, self.request.query_params)
        try:
            return super().get_object()
        except Http404:
            raise _no_run(self.kwargs["pk"]) from None


class RunCancel(Guarded):
    """取消一次运行。"""

    permission_classes = (MayRun,)

    @extend_schema(
        operation_id="run_cancel",
        summary="Ask a run to stop",
        description="One that waits for its turn ends at once, one that runs within "
        "seconds.",
        request=None,
        responses=answers({202: RunDetailSerializer}, 404, 409, 415),
    )
    def post(self, request: Request, pk: int) -> Response:
        """请求取消一次运行。"""
        checked(NoForm, request.query_params)
        if not SyncRun.objects.filter(pk=pk).exists():
            raise _no_run(pk)
        by = request.user.get_username()
        run = services.cancel(pk, at=services.now(), by=by)
        return Response(RunDetailSerializer(run).data, status=status.HTTP_202_ACCEPTED)


def _wanted(request: Request) -> services.SyncRequest:
    # A market in the address would be passed over, and all markets fetched.
    checked(NoForm, request.query_params)
    return request_of(checked(RunForm, request.data))


def _no_run(number: int) -> NotFound:
    return NotFound(_("There is no run %d.") % number)
