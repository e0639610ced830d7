"""接口的文档:OpenAPI 和它的页面。"""

from __future__ import annotations

from csp.decorators import csp_update
from django.utils.decorators import method_decorator
from drf_spectacular.views import (
    SpectacularJSONAPIView,
    SpectacularSwaggerSplitView,
)

from .guard import Guarded
from .permissions import StaffOrKey

# Swagger's page sets its styles inline and draws its icons from data URLs.
PAGE_POLICY = {
    "style-src": ["'self'", "'unsafe-inline'"],
    "img-src": ["'self'", "data:"],
}


class Schema(Guarded, SpectacularJSONAPIView):
    """OpenAPI 3,JSON。"""

    permission_classes = (StaffOrKey,)


@method_decorator(csp_update(PAGE_POLICY), name="dispatch")
class Docs(Guarded, SpectacularSwaggerSplitView):
    """给人看的文档。"""

    permission_classes = (StaffOrKey,)
    url_name = "api-schema"
