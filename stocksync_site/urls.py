from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from django.views.i18n import set_language

handler400 = "stocksync_site.errors.bad_request"
handler403 = "stocksync_site.errors.forbidden"
handler404 = "stocksync_site.errors.not_found"
handler500 = "stocksync_site.errors.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("language/", set_language, name="set_language"),
    path("admin/", admin.site.urls),
    path("", include("sync.api.urls")),
]
