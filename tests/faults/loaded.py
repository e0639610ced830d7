"""预先装进分叉服务器的一切。"""

from __future__ import annotations

import sync.management.commands.retry_failed
import sync.management.commands.sync_klines
import sync.tasks

from . import patches

__all__ = ["patches", "sync"]
