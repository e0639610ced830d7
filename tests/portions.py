"""几个进程怎样分测试。"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class InTurn(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """按排好的先后领测试:`whole` 里的文件夹整个文件领走,其余一个一个领。"""

    def __init__(
        self, config: pytest.Config, log: Any, *, whole: Collection[str]
    ) -> None:
        super().__init__(config, log)
        self._whole = frozenset(whole)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if self._whole.isdisjoint(Path(file).parts) else file
