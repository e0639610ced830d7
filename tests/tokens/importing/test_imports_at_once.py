"""同时导入同样的 Token:各边都成功,后来的发现已经有了。"""

from __future__ import annotations

from functools import partial

import pytest

from tests.racing import at_once
from tokens.importing.imports import import_tokens
from tokens.models import ApiToken

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 300


def listing(*, backwards: bool = False) -> bytes:
    lines = [f"itick,token-number-{number:06d}\n" for number in range(MANY)]
    return ("provider,token\n" + "".join(lines[:: -1 if backwards else 1])).encode()


def test_three_imports_of_the_same_new_tokens_all_end_well() -> None:
    files = listing(), listing(backwards=True), listing()

    results = at_once([partial(import_tokens, file) for file in files])

    assert sum(result.created for result in results) == MANY
    assert {result.created + result.unchanged for result in results} == {MANY}
    assert ApiToken.objects.count() == MANY
