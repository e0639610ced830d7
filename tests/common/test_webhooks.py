"""告警可以发往哪里,什么时候不打扰人。"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from common.quiet import quiet_hours
from common.webhooks import Shape, WebhookRefused, webhook


@pytest.mark.parametrize(
    ("text", "shape", "host"),
    [
        ("https://example.org/a?b=c", Shape.JSON, "example.org"),
        ("https://open.feishu.cn/open-apis/bot/v2/hook/x", Shape.FEISHU, None),
        ("https://oapi.dingtalk.com/robot/send?access_token=x", Shape.DINGTALK, None),
        ("https://hooks.slack.com/services/T0/B0/x", Shape.SLACK, None),
        ("https://hooks.slack.com.example.org/x", Shape.JSON, None),
        ("feishu+https://relay.example.org/x", Shape.FEISHU, "relay.example.org"),
        ("json+https://hooks.slack.com/x", Shape.JSON, "hooks.slack.com"),
        ("http://localhost:9000/x", Shape.JSON, "localhost"),
        ("http://[::1]:9000/x", Shape.JSON, "::1"),
    ],
)
def test_the_host_or_the_prefix_says_what_json(
    text: str, shape: Shape, host: str | None
) -> None:
    found = webhook(text)

    assert found.shape == shape
    assert host in {None, found.host}
    assert found.url == text.rpartition("+")[2]


@pytest.mark.parametrize(
    "text",
    [
        *("http://example.org/x", "http://10.0.0.1/x", "ftp://example.org/"),
        *("https://user:secret@example.org/x", "https://example.org/x#part"),
        *("https://", "https://example.org:99999/x", "teams+https://example.org/"),
        *("https://example.org/x\n", "https://example.org/x y", "example.org"),
        r"https://example.org\@evil.org/",
    ],
)
def test_others_are_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(WebhookRefused) as caught:
        webhook(text)

    assert "example.org" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_address_is_not_in_what_is_printed() -> None:
    found = webhook("https://example.org/the-path?k=the-query")

    assert "the-path" not in repr(found)
    assert "the-query" not in f"{found}"


@pytest.mark.parametrize(
    ("hours", "quiet", "loud"),
    [
        ("22:00-07:00", (22, 0, 6), (7, 12, 21)),
        ("09:00-17:00", (9, 16), (8, 17, 23)),
        # 22:00 in Shanghai is 14:00 UTC.
        ("22:00-07:00 Asia/Shanghai", (14, 22), (13, 23)),
        ("08:00-08:00", (), (7, 8, 9)),
    ],
)
def test_the_end_does_not_belong_to_them(
    hours: str, quiet: tuple[int, ...], loud: tuple[int, ...]
) -> None:
    found = quiet_hours(hours)

    def held(hour: int) -> bool:
        return found.hold(datetime(2026, 3, 14, hour, tzinfo=UTC))

    assert all(held(hour) for hour in quiet)
    assert not any(held(hour) for hour in loud)


@pytest.mark.parametrize("text", ["22-7", "25:00-07:00", "22:00-07:00 Mars/Base", "x"])
def test_what_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is not|zone|must be in|range"):
        quiet_hours(text)
