"""收集要翻译的文字,补进 locale/,编译 .mo。

    .venv/bin/python -m scripts.messages

New texts arrive in the .po file without a translation; texts that are gone leave it.
Punctuation among Chinese is made full-width, however it was typed.
Babel does it all, so that nobody needs GNU gettext.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
PO = ROOT / "locale/zh_Hans/LC_MESSAGES/django.po"
CODE = ("common", "sync", "tokens", "stocksync_site")
TEMPLATES = "templates"
# Django's templatize writes these names; ours are gettext's and its alias _. None with
# a context: the catalogue here is by text alone.
NAMES = (
    "_",
    "gettext",
    "gettext_lazy",
    "ngettext",
    "ngettext_lazy",
    "gettext_noop",
    "Message",
)
# In place of the moment it was made, which would make a difference where there is none.
NEVER = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = "# 简体中文的译文。由 scripts.messages 收集,译文写在 msgstr 里。"

WIDE = {",": "，", ";": "；", ":": "：", "!": "！", "?": "？"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")
_AFTER = r"(?<=[\u4e00-\u9fff“”「」（）》…])"
AFTER_CHINESE = re.compile(_AFTER + r"([,;:!?])(?:[ ]|(?=\n)|)")
BEFORE_CHINESE = re.compile(r"([,;:!?])[ ]?(?=[\u4e00-\u9fff「“（《])")
FULL_STOP = re.compile(_AFTER + r"\.(?=\s|$)")
# Not those of %(name)s, which may stand inside.
PARENTHESES = re.compile(r"[ ]?(?<!%)\(((?:%\(\w+\)|[^()])*)\)[ ]?")

Text = str | tuple[str, ...]


def texts() -> dict[Text, list[str]]:
    """源码和模板里所有要翻译的文字,以及它们在哪些文件里。"""
    found: dict[Text, list[str]] = {}
    for path, source in _sources():
        stream = io.BytesIO(source.encode())
        for _line, _name, text, _comments in extract_python(
            stream, dict.fromkeys(NAMES), (), {}
        ):
            key = _key(text)
            if key:
                places = found.setdefault(key, [])
                name = str(path.relative_to(ROOT))
                if name not in places:
                    places.append(name)
    return found


def catalog() -> Catalog:
    """现在的译文。"""
    if not PO.exists():
        return Catalog(locale="zh_Hans")
    with PO.open("rb") as file:
        return read_po(file, locale="zh_Hans")


def renewed(old: Catalog, found: dict[Text, list[str]]) -> Catalog:
    """按现在的文字更新译文;旧的译文留着,没有用的去掉。"""
    new = _empty()
    for text in sorted(found, key=str):
        places = [(name, 1) for name in found[text]]
        new.add(text, _translation(old, text), locations=places)
    return new


def compiled(of: Catalog) -> bytes:
    """.mo 文件的内容。"""
    of.creation_date = NEVER
    stream = io.BytesIO()
    write_mo(stream, of)
    return stream.getvalue()


def full_width(text: str) -> str:
    """把挨着汉字的标点换成全角的。

    Marks between Latin words, in times and in addresses stay as they are.
    """
    text = PARENTHESES.sub(_parentheses, text)
    for pattern in (AFTER_CHINESE, BEFORE_CHINESE):
        text = pattern.sub(lambda found: WIDE[found[1]], text)
    return FULL_STOP.sub("。", text)


def _parentheses(found: re.Match[str]) -> str:
    before, after = found.string[: found.start()], found.string[found.end() :]
    near = f"{before[-1:]}{found[1]}{after[:1]}"
    chinese = CHINESE.search(near)
    return f"（{found[1]}）" if chinese else found[0]


def main() -> int:
    """更新 .po,编译 .mo;还有没翻译的就说出来,退出码 1。"""
    new = renewed(catalog(), texts())
    PO.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    write_po(stream, new, omit_header=False, include_lineno=False, width=88)
    PO.write_bytes(_without_stamps(stream.getvalue()))
    PO.with_suffix(".mo").write_bytes(compiled(catalog()))
    missing = [
        message.id for message in new if message.id and not any(_strings(message))
    ]
    for text in missing:
        print(f"not translated: {text!r}", file=sys.stderr)
    return 1 if missing else 0


def _empty() -> Catalog:
    return Catalog(
        locale="zh_Hans",
        project="stocksync",
        version="1",
        header_comment=HEADER,
        msgid_bugs_address="stocksync",
        last_translator="stocksync",
        language_team="stocksync",
        charset="utf-8",
        fuzzy=False,
    )


def _translation(old: Catalog, text: Text) -> Text:
    known = old.get(text if isinstance(text, str) else text[0])
    string = full_width(_strings(known)[0]) if known else ""
    # A text that has got a plural, or lost it, keeps its translation: Chinese has one
    # form for both.
    return string if isinstance(text, str) else (string,)


def _sources() -> Iterator[tuple[Path, str]]:
    for package in CODE:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path, path.read_text(encoding="utf-8")
    for path in sorted((ROOT / TEMPLATES).rglob("*.html")):
        yield path, templatize(path.read_text(encoding="utf-8"), origin=str(path))


def _key(text: object) -> Text | None:
    if isinstance(text, str):
        return text or None
    if isinstance(text, tuple):
        strings = tuple(part for part in text if isinstance(part, str))
        return strings if len(strings) > 1 else (strings[0] if strings else None)
    return None


def _strings(message: object) -> tuple[str, ...]:
    string = getattr(message, "string", "")
    return tuple(string) if isinstance(string, (list, tuple)) else (string,)


def _without_stamps(po: bytes) -> bytes:
    lines = po.split(b"\n")
    stamps = (b'"POT-Creation-Date', b'"PO-Revision-Date', b'"Generated-By')
    return b"\n".join(line for line in lines if not line.startswith(stamps))


if __name__ == "__main__":
    sys.exit(main())
