"""make demo:在模拟的 iTick 上跑一遍主要的工作。

Everything goes through the commands that a user types, over real HTTP, into the
embedded database.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sync.engine.markets import last_final

from .sign_in import SIMULATOR

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"
MANAGE = [sys.executable, str(ROOT / "manage.py")]
TOKENS = 12
STOCKS = 300
MINUTE_LIMIT = 120
YEAR = timedelta(days=365)
HISTORY = {"HK": 2, "SH": 1}  # years up to the last day that is over

NEXT = """
What next:
  make serve            the admin in your browser, on these data
                        {sign_in}
  make test             all tests, on SQLite and on a MariaDB of its own
  {again}
                        nothing to do: what is there is not fetched again
  rm {database}
                        begins anew, for another demo or for your own tokens (README)
"""


def main() -> int:
    """建库、装 Token 和股票、同步、说明接下来做什么;返回退出码。"""
    database = demo_database()
    os.environ["DATABASE_URL"] = f"sqlite:///{database}"
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    syncs = {market: sync_klines(market) for market in HISTORY}
    try:
        manage("migrate", "--verbosity", "0")
        with simulator() as tokens:
            say(f"{TOKENS} tokens of {MINUTE_LIMIT} calls a minute:")
            manage("import_tokens", str(tokens))
            say(f"The stocks, {STOCKS} made-up ones of each market:")
            manage("sync_stocks", "--market", *HISTORY)
            for market, command in syncs.items():
                say(f"Daily bars of {market}, up to the last day that is over:")
                manage(*command)
    except subprocess.CalledProcessError as error:
        return error.returncode
    again = f".venv/bin/python manage.py {' '.join(syncs['HK'])}"
    place = database.relative_to(ROOT)
    print(NEXT.format(again=again, database=place, sign_in=sign_in()))
    return 0


def demo_database() -> Path:
    """演示用的库:默认的那个,除非里面有别的 Token。

    The run takes every token that it finds, and must not take real ones.
    """
    usual = VAR / "stocksync.sqlite3"
    if not has_other_tokens(usual):
        return usual
    say("var/stocksync.sqlite3 holds tokens of yours: the demo takes var/demo.sqlite3.")
    return VAR / "demo.sqlite3"


def has_other_tokens(database: Path) -> bool:
    """库里有没有不是模拟器的 Token。"""
    if not database.exists():
        return False
    query = "SELECT 1 FROM stk_api_token WHERE base_url NOT LIKE ? LIMIT 1"
    with closing(sqlite3.connect(database)) as connection:
        try:
            return connection.execute(query, [f"{SIMULATOR}%"]).fetchone() is not None
        except sqlite3.OperationalError:
            return False


@contextmanager
def simulator() -> Iterator[Path]:
    """在另一个进程里跑模拟器;给出它的 Token 文件。"""
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens.csv"
        options = {
            "--port": 0,
            "--stocks": STOCKS,
            "--tokens": TOKENS,
            "--minute-limit": MINUTE_LIMIT,
            "--latency-ms": 20,
            "--tokens-csv": tokens,
        }
        words = [str(word) for pair in options.items() for word in pair]
        process = subprocess.Popen(
            [*MANAGE, "simulate_itick", *words], stdout=subprocess.PIPE, text=True
        )
        try:
            greeting = process.stdout.readline().strip() if process.stdout else ""
            if not greeting:
                raise subprocess.CalledProcessError(process.wait(), "simulate_itick")
            say(greeting.partition(" with ")[0] + ":")
            yield tokens
        finally:
            process.terminate()
            process.wait(timeout=10)


def sync_klines(market: str) -> list[str]:
    """一条同步命令:到最后一个已经收盘的日子为止,哪一天运行都不落后。"""
    end = last_final(market, at=datetime.now(UTC))
    start = end - HISTORY[market] * YEAR
    return ["sync_klines", "--market", market, "--start", str(start), "--end", str(end)]


def sign_in() -> str:
    """做好看一看用的登录;返回怎样登录,或者为什么没有。"""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.sign_in", "--make"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout or done.stderr).strip()


def manage(*words: str) -> None:
    """运行一条管理命令;失败时抛出 CalledProcessError。"""
    subprocess.run([*MANAGE, *words], check=True)


def say(text: str) -> None:
    """说一句话。"""
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
