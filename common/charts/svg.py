"""SVG 的元素怎样写:一切都转义,没有 style 属性。"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from django.utils.html import conditional_escape, escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from .values import State, Words


def element(name: str, *children: str, **attributes: object) -> SafeString:
    """写一个元素;名字里的下划线变成连字符,值是 None 的属性不写。"""
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(_written(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(conditional_escape(child) for child in children)
    return mark_safe(f"<{name}{written}>{inside}</{name}>")  # noqa: S308 - escaped above


def percent(share: float) -> str:
    """把 0 到 1 的份额写成百分比。"""
    return f"{_written(share * 100)}%"


def titled(title: str, url: str, *shapes: SafeString) -> SafeString:
    """给图形带上悬停的说明,有地址的话还带上链接。"""
    if url:
        return element("a", element("title", title), *shapes, href=url)
    return element("g", element("title", title), *shapes)


def drawing(
    *children: str,
    kind: str,
    label: str,
    linked: bool,
    width: int | str,
    height: int,
    **attributes: object,
) -> SafeString:
    """画布;label 读给看不见图的人听。

    With links inside it is a group, as the children of an image cannot be reached.
    """
    return element(
        "svg",
        *children,
        class_=f"plot plot-{kind}",
        role="group" if linked else "img",
        aria_label=label,
        width=width,
        height=height,
        **attributes,
    )


def counted(label: str, states: Iterable[State], words: Words) -> str:
    """在说明后面加上每种状态有几个,例如「HK: 55 complete, 5 not known」。"""
    found = Counter(states)
    listed = ", ".join(
        f"{found[state]} {words[state]}" for state in words if found[state]
    )
    return f"{label}: {listed or '–'}"


def as_table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> SafeString:
    """同样的内容写成表,折起来;看不见图的人和想抄数字的人用。"""
    return format_html(
        '<details class="chart-table"><summary>{}</summary><div class="scroll"><table>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></details>",
        _("As a table"),
        format_html_join("", '<th scope="col">{}</th>', ((head,) for head in heads)),
        format_html_join("", "<tr>{}</tr>", ((_cells(row),) for row in rows)),
    )


def _cells(row: Iterable[str]) -> SafeString:
    return format_html_join("", "<td>{}</td>", ((cell,) for cell in row))


def _written(value: object) -> object:
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
