"""管理页面。"""

from . import access, failures, jobs, klines, runs, stocks, tokens

__all__ = ["access", "failures", "jobs", "klines", "runs", "stocks", "tokens"]
