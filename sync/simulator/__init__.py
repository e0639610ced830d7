"""iTick 的模拟器:真实的 HTTP,生成的和真实的 K 线,随叫随到的故障。"""

from __future__ import annotations

from .accounts import Account, Usage, demo_accounts
from .faults import Faults
from .quirks import Quirks
from .simulator import Simulator

__all__ = ["Account", "Faults", "Quirks", "Simulator", "Usage", "demo_accounts"]
