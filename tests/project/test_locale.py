"""中文译文:齐全,占位符一致,编译过的就是写着的。"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext, ngettext

from scripts.messages import (
    CODE,
    PO,
    TEMPLATES,
    Text,
    catalog,
    compiled,
    full_width,
    renewed,
    texts,
)

PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{\w*\}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
HALF_WIDTH = re.compile(r"[,;:!?](?=\s|$|%\()|\.(?=$|\n)")
CONTEXT = re.compile(r"n?pgettext|{% (?:block)?trans(?:late)? [^%]*\bcontext ")
# Names, and one of which nothing but numbers and signs is left.
NO_CHINESE = {
    "%(first)s, %(rest)s",
    "%(what)s: %(said)s",
    "%(sessions)s (%(calls)s)",
    "%s.",
    "%(column)s %(fault)s.",
    "fence",
    "token",
    "tokens",
    "Tokens",
    "%(done)d of %(most)d",
}


def forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


def placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text))


def translated(of: Catalog) -> list[tuple[str, str]]:
    """每条文字和它的译文;有复数的,原文是复数的那一句。"""
    return [
        (forms(message.id)[-1], form)
        for message in of
        if message.id
        for form in forms(message.string)
    ]


def entries(mo: bytes) -> dict[object, str]:
    found: dict[object, str] = vars(GNUTranslations(io.BytesIO(mo)))["_catalog"]
    return {key: string for key, string in found.items() if key != ""}


def test_every_text_of_the_sources_has_a_translation() -> None:
    known, found = catalog(), texts()

    missing = [
        (text, places)
        for text, places in found.items()
        if not (message := known.get(forms(text)[0])) or not all(forms(message.string))
    ]

    assert len(found) > 300
    assert missing == []


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("等待配额,到时候继续。", "等待配额，到时候继续。"),
        ("运行 %(run)s: 已结束", "运行 %(run)s：已结束"),
        ("通道 (Token)", "通道（Token）"),
        ("排队 (manage.py qcluster)?", "排队（manage.py qcluster）？"),
        ("到 %(until)s (UTC) 为止", "到 %(until)s（UTC）为止"),
        ("取到了.", "取到了。"),
        ("见,https://example.org:80/?a=1;b", "见，https://example.org:80/?a=1;b"),
        ("08:30,1:10 (a, b)", "08:30,1:10 (a, b)"),
        ("%(count)d 条", "%(count)d 条"),
    ],
)
def test_punctuation_among_chinese_is_full_width(typed: str, printed: str) -> None:
    assert full_width(typed) == printed
    assert full_width(printed) == printed


def test_every_translation_has_full_width_punctuation() -> None:
    pairs = translated(catalog())

    assert {string for _text, string in pairs if full_width(string) != string} == set()


def test_no_half_width_mark_ends_a_phrase_of_chinese() -> None:
    """After a Latin word or a value, too: full_width leaves those alone."""
    left = {
        string
        for _text, string in translated(catalog())
        if CHINESE.search(string) and HALF_WIDTH.search(string)
    }

    assert left == set()
    assert HALF_WIDTH.search("没有可用的 Token: %(why)s")


def test_every_translation_is_in_chinese() -> None:
    pairs = translated(catalog())

    left = {text for text, string in pairs if not CHINESE.search(string)}

    assert left == NO_CHINESE


def test_a_translation_has_the_placeholders_of_its_text() -> None:
    pairs = translated(catalog())

    differing = [
        pair for pair in pairs if placeholders(pair[0]) != placeholders(pair[1])
    ]

    assert differing == []
    assert sum(bool(placeholders(text)) for text, _string in pairs) > 30


def test_chinese_has_one_form_for_one_and_many() -> None:
    plural = [message for message in catalog() if message.pluralizable]

    assert {len(forms(message.string)) for message in plural} == {1}
    assert len(plural) > 10


def test_the_compiled_file_holds_what_is_written() -> None:
    mo = PO.with_suffix(".mo").read_bytes()

    assert entries(mo) == entries(compiled(catalog()))


def test_no_text_asks_for_a_context(root: Path) -> None:
    sources = [p for name in CODE for p in (root / name).rglob("*.py")]
    templates = (root / TEMPLATES).rglob("*.html")

    asking = [p.name for p in (*sources, *templates) if CONTEXT.search(p.read_text())]

    assert asking == []  # the collector knows texts by themselves only


@pytest.mark.parametrize(
    ("old", "new", "string"),
    [("stock", ("stock", "stocks"), ("股票",)), (("stock", "stocks"), "stock", "股票")],
)
def test_a_text_that_gets_or_loses_a_plural_keeps_its_translation(
    old: Text, new: Text, string: Text
) -> None:
    before = Catalog(locale="zh_Hans")
    before.add(old, "股票" if isinstance(old, str) else ("股票",))

    after = renewed(before, {new: ["a.py"]})

    message = after.get("stock")
    assert message is not None
    assert message.string == string


def test_a_text_that_is_gone_leaves_the_file() -> None:
    before = Catalog(locale="zh_Hans")
    before.add("gone", "没有了")
    before.add("here", "还在")

    after = renewed(before, {"here": ["a.py"], "new": ["b.py"]})

    assert translated(after) == [("here", "还在"), ("new", "")]


def test_django_speaks_it() -> None:
    with translation.override("zh-hans"):
        one, many = (
            ngettext("%d failure is given up.", "%d failures are given up.", count)
            for count in (1, 2)
        )
        # The same text is written with a plural elsewhere.
        start = gettext("Start the run")

    assert one == many == "已放弃 %d 条失败记录。"
    assert start == "开始运行"


@pytest.mark.django_db
def test_the_browsers_language_chooses_the_language_of_the_admin() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))

    chinese, english = (
        client.get(reverse("admin:index"), headers={"accept-language": wanted})
        for wanted in ("zh-CN,zh;q=0.9,en;q=0.8", "en-GB,en;q=0.9")
    )

    assert "需要处理" in chinese.content.decode()
    assert "Needs you" not in chinese.content.decode()
    assert "Needs you" in english.content.decode()
