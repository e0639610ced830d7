"""运行期间少做垃圾回收。"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# New objects until the collector looks for cycles; Python's own 700 is the bars of one
# answer. So many bars are in memory at once, and almost none of them in a cycle.
OBJECTS = 50_000


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """在此期间,每五万个新对象才找一次循环引用。

    Bars are tuples, which the collector goes through again and again, and now and then
    through all that Django has loaded: a fifth of the time spent on a bar. The setting
    is the whole process's; of two runs at once the last to end decides what stays.
    """
    usual = gc.get_threshold()
    gc.set_threshold(usual[0] and max(OBJECTS, usual[0]), *usual[1:])  # 0 is off
    try:
        yield
    finally:
        gc.set_threshold(*usual)
