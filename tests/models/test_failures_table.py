"""失败记录表就是计划里的那张表。"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.utils import timezone

from sync.models import SyncFailure

from ..rows import on_mariadb

TABLE = "stk_sync_failure"
PLANNED = "planned_sync_failure"
# The plan's own statement, word for word but for the table's name.
PLAN = """
CREATE TABLE `planned_sync_failure` (
    `id` bigint NOT NULL AUTO_INCREMENT COMMENT '主键ID',
    `stock_code` varchar(20) NOT NULL COMMENT '股票代码',
    `start_date` date NOT NULL COMMENT '开始日期',
    `end_date` date NOT NULL COMMENT '结束日期',
    `failure_reason` varchar(500) COMMENT '失败原因',
    `retry_count` int DEFAULT 0 COMMENT '重试次数',
    `status` tinyint DEFAULT 0 COMMENT '状态：0-待重试，1-重试成功，2-放弃重试',
    `last_retry_time` datetime COMMENT '最后重试时间',
    `create_time` datetime DEFAULT CURRENT_TIMESTAMP,
    `update_time` datetime DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`id`),
    INDEX `idx_stock_code` (`stock_code`),
    INDEX `idx_status` (`status`),
    INDEX `idx_create_time` (`create_time`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='股票同步失败记录表';
"""
OURS = {
    *("market", "period", "reason_class", "run_id"),
    *("recorded_run_id", "recorded_reason", "decided_by"),
}
COLUMNS = """
SELECT column_name, column_type, is_nullable, column_default, extra, column_comment,
       character_set_name
FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = %s ORDER BY ordinal_position
"""
COLLATIONS = """
SELECT column_name, collation_name FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = %s
"""
INDEXES = """
SELECT index_name, seq_in_index, column_name, non_unique, index_type, sub_part
FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name = %s AND index_name IN
    ('PRIMARY', 'idx_stock_code', 'idx_status', 'idx_create_time')
ORDER BY index_name, seq_in_index
"""
ABOUT = """
SELECT engine, table_collation, table_comment FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name = %s
"""
ROW = (
    "INSERT INTO stk_sync_failure (stock_code, start_date, end_date) "
    "VALUES ('700', '2026-03-02', '2026-03-09')"
)


def query(sql: str, *values: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return list(cursor.fetchall()) if cursor.description else []


@pytest.fixture
def planned(transactional_db: None) -> Iterator[str]:
    """计划里的表,用另一个名字真的建出来。"""
    query(PLAN)
    yield PLANNED
    query(f"DROP TABLE {PLANNED}")


@on_mariadb
def test_the_columns_are_the_plans_and_ours_come_last(planned: str) -> None:
    wanted, stored = query(COLUMNS, planned), query(COLUMNS, TABLE)

    assert len(wanted) == 10
    assert stored[:10] == wanted
    assert {row[0] for row in stored[10:]} == OURS


@on_mariadb
@pytest.mark.parametrize("about", [INDEXES, ABOUT], ids=["indexes", "table"])
def test_indexes_engine_and_charset_are_the_plans(about: str, planned: str) -> None:
    wanted = query(about, planned)

    assert wanted
    assert query(about, TABLE) == wanted


@on_mariadb
@pytest.mark.django_db
def test_columns_of_codes_tell_small_from_capital_letters() -> None:
    collations = {row[0]: row[1] for row in query(COLLATIONS, TABLE)}

    for column in ("stock_code", "market", "period"):
        assert collations[column] == "utf8mb4_bin"


@pytest.mark.django_db
def test_a_row_of_another_program_names_the_plans_columns_only() -> None:
    before = timezone.now().replace(microsecond=0)

    query(ROW)

    row = SyncFailure.objects.waiting(stock_code="700", max_retry_count=1).get()
    assert (row.start_date, row.end_date) == (date(2026, 3, 2), date(2026, 3, 9))
    assert (row.status, row.retry_count) == (0, 0)
    assert (row.market, row.period, row.reason_class) == ("", "day", "")
    assert (row.failure_reason, row.last_retry_time, row.run_id) == (None, None, None)
    for moment in (row.create_time, row.update_time):
        assert moment is not None
        assert before <= moment <= timezone.now()


@pytest.mark.django_db
def test_attempts_that_are_null_count_as_none() -> None:
    query(ROW)
    query("UPDATE stk_sync_failure SET retry_count = NULL")

    assert SyncFailure.objects.waiting(max_retry_count=1).count() == 1


@on_mariadb
@pytest.mark.django_db
def test_a_change_by_another_program_is_dated_by_the_database() -> None:
    query(ROW)
    query("UPDATE stk_sync_failure SET update_time = '2020-01-01', create_time = NULL")
    old = SyncFailure.objects.get()
    assert old.update_time == datetime(2020, 1, 1, tzinfo=UTC)
    before = timezone.now().replace(microsecond=0)

    query("UPDATE stk_sync_failure SET retry_count = 1")

    row = SyncFailure.objects.get()
    assert row.update_time is not None
    assert before <= row.update_time <= timezone.now()
