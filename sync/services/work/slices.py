"""全部股票里的一份。"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slice:
    """全部股票里的一份:编号除以 `of` 余 `number` 的那些。"""

    number: int = 0
    of: int = 1

    def holds(self, stock_id: int) -> bool:
        """判断这只股票属不属于这一份。"""
        return stock_id % self.of == self.number


ALL = Slice()
