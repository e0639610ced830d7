"""Spell stored codes as the rule does: 00700 and 700 were two stocks.

Nothing is lost: the bars belong to the stock and not to its code.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

from sync.engine.stock_codes import BadCode, read_code
from sync.engine.markets import MARKETS


def respell(apps: Any, schema_editor: Any) -> None:
    """换成规则的写法;写法不同的两只合成一只,读不出来又没有 K 线的删除。

    Of two the one spelled right stays, and fetches what it lacks; the other is marked
    deleted and keeps its bars. A code that cannot be read is left where the provider
    has answered for it.
    """
    alias = schema_editor.connection.alias
    stocks = apps.get_model("sync", "Stock").objects.using(alias)
    failures = apps.get_model("sync", "SyncFailure").objects.using(alias)
    covered = apps.get_model("sync", "Coverage").objects.using(alias)
    there = set(stocks.values_list("market", "stock_code"))
    active = stocks.filter(deleted=False, market__in=list(MARKETS)).order_by("pk")
    for pk, market, code in list(active.values_list("pk", "market", "stock_code")):
        one = stocks.filter(pk=pk)
        try:
            meant = read_code(code, market=market)
        except BadCode:
            if not covered.filter(stock_id=pk).exists():
                one.update(deleted=True)
            continue
        if meant == code:
            continue
        if (market, meant) in there:
            one.update(deleted=True)
            stocks.filter(market=market, stock_code=meant).update(deleted=False)
        else:
            one.update(stock_code=meant)
            there.add((market, meant))
        failures.filter(market=market, stock_code=code).update(stock_code=meant)


class Migration(migrations.Migration):
    dependencies = [("sync", "0010_unserved_markets")]
    operations = [migrations.RunPython(respell, migrations.RunPython.noop)]
