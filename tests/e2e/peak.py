"""执行一条命令,最后在标准错误上说出这个进程用过的最大内存(KB)。

python -m tests.e2e.peak COMMAND…
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import django
from django.core.management import call_command

if __name__ == "__main__":
    django.setup()
    call_command(*sys.argv[1:])
    # Not getrusage: a program that was just begun inherits the peak of its parent.
    status = Path("/proc/self/status").read_text()
    print("peak", *re.findall(r"VmHWM:\s*([0-9]+) kB", status), file=sys.stderr)
