"""从头启动的进程:有自己的环境变量,自成一组,像另一台机器。

python -m tests.faults.anew ORDER_AS_JSON
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace

from .clock import Clock
from .executor import Fault, Order, execute


def begin(order: Order, **variables: str) -> subprocess.Popen[bytes]:
    """在这样的一个进程里执行吩咐。"""
    return subprocess.Popen(
        [sys.executable, "-m", __name__, json.dumps(asdict(order))],
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _order(text: str) -> Order:
    values = json.loads(text)
    fault, task = values["fault"], values["task"]
    order = Order(**values | {"clock": Clock(**values["clock"])})
    return replace(
        order,
        command=tuple(order.command),
        plants=tuple(order.plants),
        fault=Fault(**fault) if fault else None,
        task=tuple(task) if task else None,
    )


if __name__ == "__main__":
    execute(_order(sys.argv[1]))
