"""预先装进分叉服务器的一切。"""

from __future__ import annotations

import exchange_calendars

import sync.management.commands.audit_klines
import sync.management.commands.retry_failed
import sync.management.commands.sync_klines
import sync.management.commands.sync_splits
import sync.management.commands.verify_klines
import sync.tasks

from . import patches

__all__ = ["exchange_calendars", "patches", "sync"]
