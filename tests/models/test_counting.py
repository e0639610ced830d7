"""按列计数:一次查询,多的在前。"""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from sync.models import SyncFailure
from tests.services.failures.retries import row

pytestmark = pytest.mark.django_db


def test_counts_the_rows_of_each_value_most_first(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    row("1", reason_class="timeout")
    row("2", reason_class="no_data")
    row("3", reason_class="no_data", market="US")

    with django_assert_num_queries(1):
        by_reason = SyncFailure.objects.count_by("reason_class")

    assert list(by_reason.items()) == [("no_data", 2), ("timeout", 1)]


def test_several_columns_make_a_key_of_their_values() -> None:
    row("1", reason_class="timeout")
    row("2", reason_class="timeout", market="US")
    row("3", reason_class="timeout", market="US")

    counted = SyncFailure.objects.order_by("pk").count_by("market", "reason_class")

    assert list(counted.items()) == [(("US", "timeout"), 2), (("HK", "timeout"), 1)]


def test_no_rows_are_no_values() -> None:
    assert SyncFailure.objects.waiting().count_by("status") == {}
