"""import_tokens:全部正确才导入,再来一次什么也不变。"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from pytest_django import Settings

from tests.fixtures import MakeToken
from tests.racing import Meeting, at_once
from tokens.importing import imports
from tokens.importing.lines import OPTIONAL
from tokens.importing.values import parse_base_url, parse_expiry, parse_markets
from tokens.models import ApiToken

CANARY = "canary-0123456789-tail"
FULL = (
    "minute_limit,token,provider,name,daily_limit,batch_size,markets,expire_time,base_url\n"
    f'120,{CANARY},itick,main,1000,10,"hk, us",2030-12-31,https://api0.itick.org/\n'
    ",second-value-1,itick,,,,,,\n"
)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """把文字当文件导入,返回标准输出。"""

    def command(text: str | bytes, **options: Any) -> str:
        data = text if isinstance(text, bytes) else text.encode()
        file = tmp_path / "tokens.csv"
        file.write_bytes(data)
        call_command("import_tokens", str(file), **options)
        return capsys.readouterr().out

    return command


def refused(run: Any, text: str | bytes) -> str:
    with pytest.raises(CommandError) as caught:
        run(text)
    assert caught.value.returncode == 1
    return str(caught.value).removeprefix("Nothing was imported.\n")


@pytest.mark.django_db
def test_imports_every_column(run: Any) -> None:
    assert run(FULL) == "created 2, updated 0, unchanged 0\n"

    token = ApiToken.objects.get(name="main")
    assert token.reveal() == CANARY
    assert (token.minute_limit, token.daily_limit, token.batch_size) == (120, 1000, 10)
    assert (token.markets, token.base_url) == ("HK,US", "https://api0.itick.org")
    assert token.expire_time == datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC)
    token.full_clean()


@pytest.mark.django_db
def test_a_blank_cell_stands_for_the_default(run: Any) -> None:
    run(FULL)

    token = ApiToken.objects.get(last_four="ue-1")
    assert (token.minute_limit, token.daily_limit, token.batch_size) == (5, 0, 1)
    assert (token.name, token.markets, token.base_url) == ("", "", "")
    assert token.expire_time is None


@pytest.mark.django_db
def test_a_column_left_out_stands_for_the_default_of_a_new_token(run: Any) -> None:
    run("provider,token\nitick,bare-value-7\nitick,bare-value-8\n")
    run(FULL)

    columns = [name for name in OPTIONAL if name != "name"]
    bare = ApiToken.objects.filter(last_four="ue-7").values(*columns).get()
    blank = ApiToken.objects.filter(last_four="ue-1").values(*columns).get()
    assert bare == blank


@pytest.mark.django_db
def test_importing_again_changes_nothing(run: Any) -> None:
    run(FULL)
    before = list(ApiToken.objects.order_by("pk").values())

    assert run(FULL) == "created 0, updated 0, unchanged 2\n"

    assert list(ApiToken.objects.order_by("pk").values()) == before


@pytest.mark.django_db
def test_only_the_columns_of_the_file_are_updated(run: Any) -> None:
    run(FULL)
    file = f"provider,token,minute_limit\nitick,{CANARY},600\nitick,second-value-1,\n"

    assert run(file) == "created 0, updated 1, unchanged 1\n"

    token = ApiToken.objects.get(name="main")
    assert (token.minute_limit, token.daily_limit) == (600, 1000)
    assert token.reveal() == CANARY


@pytest.mark.django_db
def test_a_blank_cell_sets_back_to_the_default(run: Any) -> None:
    run(FULL)

    run(f"provider,token,markets,expire_time\nitick,{CANARY},,\n")

    token = ApiToken.objects.get(name="main")
    assert (token.markets, token.expire_time) == ("", None)


@pytest.mark.django_db
def test_an_update_leaves_lease_and_count_alone(run: Any) -> None:
    run(FULL)
    held = {"leased_by": "run 1", "daily_used": 7, "reserved": 2, "status": 0}
    ApiToken.objects.update(**held)

    run(f"provider,token,name\nitick,{CANARY},renamed\n")

    assert ApiToken.objects.filter(name="renamed", **held).exists()


@pytest.mark.django_db
def test_a_deleted_token_is_restored_and_enabled(run: Any) -> None:
    run(FULL)
    ApiToken.objects.filter(name="main").update(deleted=True, status=0)

    assert run(FULL) == "created 0, updated 0, unchanged 1, restored 1\n"

    assert ApiToken.objects.filter(deleted=False, status=1).count() == 2


@pytest.mark.django_db
def test_a_token_under_an_older_key_is_found(
    run: Any, keys: list[str], settings: Settings
) -> None:
    run(FULL)
    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]

    assert run(FULL) == "created 0, updated 0, unchanged 2\n"


@pytest.mark.django_db
def test_json_prints_one_object(run: Any) -> None:
    counts = json.loads(run(FULL, json=True))

    assert counts == {"created": 2, "updated": 0, "unchanged": 0, "restored": 0}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + FULL.encode(),
        FULL.replace("\n", "\r\n").encode(),
        FULL.replace("\n", "\n\n").encode() + b" , ,\n",
        FULL.replace("120,", " 120 , ").encode(),
        FULL.replace("provider", " provider ").rstrip().encode(),
    ],
    ids=["BOM", "CRLF", "blank lines", "spaces", "spaces in the header"],
)
def test_tolerates(text: bytes, run: Any) -> None:
    assert run(text) == "created 2, updated 0, unchanged 0\n"


@pytest.mark.django_db
def test_reads_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(FULL.encode())))

    call_command("import_tokens", "-")

    assert capsys.readouterr().out == "created 2, updated 0, unchanged 0\n"


KNOWN = (
    "known are provider, token, name, daily_limit, minute_limit, batch_size, "
    "markets, expire_time, base_url."
)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "The file is empty."),
        (b" \n\n", "The file is empty."),
        (b"\xef\xbb\xbf", "The file is empty."),
        ("provider,token\n", "The file holds no token below its first line."),
        (
            b"provider,token\nitick,\xff\xfe\n",
            "line 2: it is not UTF-8. Save the file as CSV UTF-8.",
        ),
        (b"provider,token\nitick,\0\n", "line 2: there is a NUL byte in it."),
        (f"itick,{CANARY}\n", f"line 1: it has to name the columns; {KNOWN}"),
        (
            f"provider,token,{CANARY}\nitick,some-value,\n",
            f"line 1: column 3 is not known; {KNOWN}",
        ),
        ("token,name\nsome-value,a\n", "line 1: the column provider is missing."),
        ("provider,name\nitick,a\n", "line 1: the column token is missing."),
        (
            "provider,token,token\nitick,some-value,some-value\n",
            "line 1: the column token is there twice.",
        ),
        (
            f"provider,token\nitick,{CANARY},x\n",
            "line 2: it has 3 columns, the first line has 2.",
        ),
        (
            f'provider,token\nitick,"{CANARY}\n',
            "line 2: it is not CSV (unexpected end of data).",
        ),
        (
            f"provider,token\nitick,{'x' * 140_000}\n",
            "line 2: it is not CSV (field larger than field limit (131072)).",
        ),
        (b"x" * 10_000_001, "The file is larger than 10,000,000 bytes."),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_file_that_is_none_is_refused(
    text: str | bytes, reason: str, run: Any
) -> None:
    assert refused(run, text) == reason

    assert not ApiToken.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("daily_limit", "-1", "daily_limit is not a whole number from 0 to 999999999."),
        (
            "daily_limit",
            "1.5",
            "daily_limit is not a whole number from 0 to 999999999.",
        ),
        ("minute_limit", CANARY, "minute_limit is not a whole number from 0 to"),
        ("minute_limit", "٣", "minute_limit is not a whole number from 0 to"),
        ("daily_limit", "1000000000", "daily_limit is not a whole number from 0 to"),
        ("batch_size", "0", "batch_size has to be at least 1."),
        ("markets", "H1", "markets has to be market codes"),
        ("markets", ";", "markets has to be market codes"),
        ("markets", CANARY, "markets has to be market codes"),
        ("expire_time", "tomorrow", "expire_time is not an ISO date"),
        ("expire_time", "2026-02-30", "expire_time is not an ISO date"),
        ("expire_time", "0001-01-01T00:00+14:00", "expire_time is not an ISO date"),
        ("expire_time", "1999-12-31", "expire_time is before the year 2000."),
        ("name", "n" * 101, "name is longer than 100 characters."),
        ("name", "bell\x07", "name holds a character that cannot be printed."),
        ("name", f"the {CANARY}", "the name holds the token itself."),
        ("base_url", "https://evil.example", "base_url is not allowed: The base URL's"),
        ("base_url", f"https://{CANARY}", "base_url is not allowed: The base URL's"),
        (
            "base_url",
            "http://api.itick.org",
            "base_url is not allowed: The base URL has",
        ),
    ],
)
def test_a_bad_cell_is_named_and_not_repeated(
    column: str, cell: str, reason: str, run: Any
) -> None:
    text = f"provider,token,{column}\nitick,{CANARY},{cell}\n"

    shown = refused(run, text)

    assert shown.startswith(f"line 2: {reason}")
    assert CANARY not in shown
    assert not ApiToken.objects.exists()


@pytest.mark.django_db
def test_every_bad_line_is_reported_and_nothing_is_imported(run: Any) -> None:
    text = (
        "provider,token,daily_limit\n"
        "itick,good-value-1,5\n"
        "other,good-value-2,5\n"
        "itick,short,x\n"
        "itick,good-value-1,5\n"
        "itick,has space,5\n"
    )

    assert refused(run, text).splitlines() == [
        "line 3: the provider is not known; known is itick.",
        "line 4: the token is shorter than 8 characters.",
        "line 4: daily_limit is not a whole number from 0 to 999999999.",
        "line 6: the token holds whitespace or a character outside ASCII.",
        "line 5: the token ****ue-1 is on line 2 too.",
    ]
    assert not ApiToken.objects.exists()


@pytest.mark.django_db
def test_a_failure_half_way_leaves_nothing(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out = imports._carried_out

    def fail_at_the_second(step: imports.Step) -> ApiToken | None:
        if step.line.number == 3:
            raise imports.Refused(["stop"])
        return carry_out(step)

    monkeypatch.setattr(imports, "_carried_out", fail_at_the_second)

    assert refused(run, FULL) == "stop"

    assert not ApiToken.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["missing.csv", ".", "nul\0.csv"])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    path = str(tmp_path / name)

    with pytest.raises(CommandError) as caught:
        call_command("import_tokens", path)

    assert repr(path) in str(caught.value)


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_leave_one_of_each_token() -> None:
    data = FULL.encode()

    def one() -> imports.Imported:
        return imports.import_tokens(data)

    for _round in range(5):
        ApiToken.objects.all().delete()

        outcomes = at_once([one] * 6)

        assert sorted(outcome.created for outcome in outcomes) == [0, 0, 0, 0, 0, 2]
        assert {outcome.created + outcome.unchanged for outcome in outcomes} == {2}
        assert ApiToken.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_who_has_looked_before_the_other_has_stored_finds_them_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meet, find = Meeting(2), imports._find

    def found(line: Any) -> ApiToken | None:
        token = find(line)
        meet()
        return token

    monkeypatch.setattr(imports, "_find", found)

    outcomes = at_once([lambda: imports.import_tokens(FULL.encode())] * 2)

    assert sorted(outcome.created for outcome in outcomes) == [0, 2]
    assert ApiToken.objects.count() == 2


@pytest.mark.django_db
def test_a_database_that_is_away_is_not_called_another_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(_line: Any) -> str:
        raise OperationalError(2006, "Server has gone away")

    monkeypatch.setattr(imports, "_carried_out", away)

    with pytest.raises(OperationalError):
        imports.import_tokens(FULL.encode())


@pytest.mark.parametrize("text", ["HK;US", "hk us", "HK, US", "HK;;US;HK", " HK\tUS"])
def test_markets_may_be_separated_in_several_ways(text: str) -> None:
    assert parse_markets(text) == "HK,US"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-01-31", "2030-01-31T23:59:59"),
        ("2030-01-31T10:00", "2030-01-31T10:00:00"),
        ("2030-01-31 10:00:00", "2030-01-31T10:00:00"),
        ("2030-01-31T10:00+08:00", "2030-01-31T02:00:00"),
        ("2030-01-31T10:00Z", "2030-01-31T10:00:00"),
        ("9999-12-31", "9999-12-31T23:59:59"),
    ],
)
def test_expiry_is_a_moment_in_utc(text: str, moment: str) -> None:
    assert parse_expiry(text) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.itick.org",
        "https://API-free.itick.org/",
        "https://own.example:8443",
        "http://127.0.0.1:9000",
        "http://localhost:9000/",
        "http://[::1]:9000",
    ],
)
def test_hosts_that_may_receive_a_token(url: str, settings: Settings) -> None:
    settings.ITICK_BASE_URL = "https://own.example"

    assert parse_base_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "api.itick.org",
        "https://",
        "ftp://api.itick.org",
        "file://localhost/etc",
        "http://api.itick.org",
        "https://api.itick.org.evil.example",
        "https://api.itick.org@evil.example",
        "https://user:pass@api.itick.org",
        "https://api.itick.org?x=1",
        "https://api.itick.org#x",
        "https://api.itick.org:99999",
        "https://api.itick.org:port",
        "https://[::1",
        "https://evil.example\\@api.itick.org",
        "https://10.0.0.1",
        "http://169.254.169.254",
        "http://localhost.evil.example",
        "https://api.itick.org\u3002evil.example",
    ],
)
def test_hosts_that_may_not_receive_a_token(url: str) -> None:
    with pytest.raises(ValueError, match="is not allowed"):
        parse_base_url(url)


@pytest.mark.django_db
def test_no_import_error_or_log_holds_a_value(
    run: Any, caplog: pytest.LogCaptureFixture, make_token: MakeToken
) -> None:
    make_token(value=CANARY)
    caplog.set_level(0)
    header = "provider,token,name,minute_limit\n"
    lines = [f"itick,{CANARY},,5", f"{CANARY},itick,,5", f"itick,x,{CANARY},{CANARY}"]

    shown = [refused(run, f"{header}{line}\n{line}\n") for line in lines]
    run(f"{header}{lines[0]}\n")

    assert CANARY not in "".join(shown) + caplog.text
