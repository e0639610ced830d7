"""管理页面的测试共用的装置。"""

from __future__ import annotations

from tests.tokens.conftest import MakeToken, keys, make_token

__all__ = ["MakeToken", "keys", "make_token"]
