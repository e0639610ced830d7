"""Token 的管理页面。"""

from .pages import ApiTokenAdmin

__all__ = ["ApiTokenAdmin"]
