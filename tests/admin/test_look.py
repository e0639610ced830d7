"""首页、样子、安全策略、后台任务的页面。"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ, Schedule
from django_q.signing import SignedPackage

from .people import (
    AT,
    grant,
    run,
    signed_in,
    text,
    vera,
)

pytestmark = pytest.mark.django_db

INDEX = reverse("admin:index")
HOUR = timedelta(hours=1)
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|js:")


# --- the policy and the look ---


def test_every_page_is_under_a_policy_that_lets_nothing_inline_run() -> None:
    policy = Client().get(reverse("admin:login")).headers["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "object-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_no_template_of_ours_holds_inline_script_or_style(root: Path) -> None:
    inline = INLINE
    templates = list((root / "templates").rglob("*.html"))

    found = {
        str(path.relative_to(root)): inline.findall(path.read_text())
        for path in templates
        if inline.search(path.read_text())
    }

    assert found == {}
    assert len(templates) > 8


def test_htmx_is_told_to_do_without_what_the_policy_forbids() -> None:
    page = text(vera().get(reverse("admin:sync_syncrun_change", args=[run().pk])))

    assert '"includeIndicatorStyles": false' in page
    assert '"allowEval": false' in page
    assert re.search(r'<script src="/static/django_htmx/[\w.-]+\.js" defer>', page)


def test_every_page_has_the_hatching_of_what_is_not_known() -> None:
    assert '<pattern id="chart-hatch"' in text(vera().get(INDEX))


def test_every_page_bears_the_name_and_the_stylesheet() -> None:
    page = text(Client().get(reverse("admin:login")))

    assert '<span class="brand">stocksync</span>' in page
    assert "/static/stocksync/admin.css" in page
    assert "Django" not in page


@pytest.mark.parametrize("name", ["admin.css", "icon.svg"])
def test_the_static_files_are_served_without_collecting_them(
    root: Path, name: str
) -> None:
    answer = Client().get(f"/static/stocksync/{name}")

    served = b"".join(answer)
    answer.close()
    assert served == (root / "static/stocksync" / name).read_bytes()


def test_the_stylesheet_knows_both_themes_with_the_same_colours(root: Path) -> None:
    css = (root / "static/stocksync/admin.css").read_text()
    blocks = re.findall(r"\{([^{}]*--ss-ok:[^{}]*)\}", css)

    names = [set(re.findall(r"(--ss-[\w-]+):", block)) for block in blocks]

    assert len(names) == 3
    assert names[0] == names[1] == names[2]


# --- the pages of django-q2 ---


def q2_pages() -> list[str]:
    names = ("success", "failure", "ormq", "schedule")
    return [reverse(f"admin:django_q_{name}_changelist") for name in names]


def test_the_pages_of_the_job_queue_are_for_superusers_only(
    admin_client: Client,
) -> None:
    staff = signed_in("sam", "Viewers", "Operators", "Token keepers")
    grant(staff)

    seen = [admin_client.get(url).status_code for url in q2_pages()]
    refused = [staff.get(url).status_code for url in q2_pages()]

    assert seen == [200] * 4
    assert refused == [403] * 4


def test_nobody_but_a_superuser_writes_a_schedule_or_submits_a_job_again() -> None:
    staff = signed_in("sam")
    grant(staff)
    add = reverse("admin:django_q_schedule_add")
    again = {"action": "resubmit_task", "_selected_action": "x", "index": 0}

    answers = [
        staff.get(add),
        staff.post(add, {"func": "os.system", "schedule_type": "O"}),
        staff.post(q2_pages()[0], again),
        staff.post(q2_pages()[1], again),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert not Schedule.objects.exists()
    assert not OrmQ.objects.exists()


def test_a_superuser_sees_a_queued_job(admin_client: Client) -> None:
    job = {"id": "1", "name": "run 1", "func": "sync.tasks.execute_shard", "args": (1,)}
    OrmQ.objects.create(key="stocksync", payload=SignedPackage.dumps(job), lock=AT)

    page = text(admin_client.get(q2_pages()[2]))

    assert "sync.tasks.execute_shard" in page
