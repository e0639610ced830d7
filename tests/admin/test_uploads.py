"""上传:再坏的文件,回答也是一页,很快,不占内存。"""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests import people

pytestmark = [pytest.mark.django_db, pytest.mark.runs_on("sqlite")]

IMPORTS = ("/admin/sync/stock/import/", "/admin/tokens/apitoken/import/")
MANY_COLUMNS = b"market,stock_code,stock_name,provider,token" + b",x" * 480_000
MANY_LINES = b"\n" + b"a\n" * 480_000
FILES = {
    "columns": MANY_COLUMNS,
    "bad stocks": b"market,stock_code,stock_name" + MANY_LINES,
    "bad tokens": b"provider,token" + MANY_LINES,
    "one stock": b"market,stock_code,stock_name" + b"\nHK,7,x" * 20_000,
    "one token": b"provider,token" + b"\nitick,abcdefghijklmnop" * 40_000,
    "one cell": b'market,stock_code,stock_name\n"' + b"x" * 900_000,
}
LARGEST_PAGE = 60_000
MOST_MEMORY = 120_000_000


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(people.person(people.SUPERUSER))
    return client


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("page", IMPORTS)
def test_the_answer_is_a_small_page(client: Client, page: str, name: str) -> None:
    file: Any = SimpleUploadedFile("a.csv", FILES[name])

    tracemalloc.start()
    try:
        answer = client.post(page, {"file": file})
        _now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.status_code == 200
    # What goes to the browser and back is the file itself.
    parcel = answer.context.get("parcel") or ""
    assert len(answer.content) - len(parcel) < LARGEST_PAGE
    assert most < MOST_MEMORY


def test_the_others_are_counted(client: Client) -> None:
    lines = b"provider,token" + b"\na,b" * 130
    file: Any = SimpleUploadedFile("a.csv", lines)

    page = client.post(IMPORTS[1], {"file": file}).content.decode()

    assert "line 2: the provider is not known" in page
