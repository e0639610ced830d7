"""`make test` 里的一份:短得多,每道防护都在里面。"""

from __future__ import annotations

KILLS = 5
SHORT = (
    *("kills", "points", "zombie-klines", "zombie-failures", "twice", "spent"),
    *("clock", "planted-no-claim", "planted-no-limit", "planted-nothing-carried"),
    *("planted-own-clock", "restated", "planted-swap-in-two"),
    *("audit", "verification", "splits", "silence"),
)
