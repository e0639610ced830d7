"""设置脚本和它的小工具。"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from scripts import env_file, serve

VALUES = {"FIRST": "one", "SECOND": "two"}


def test_only_missing_variables_are_added() -> None:
    text = env_file.completed("# mine\nFIRST=kept\nOTHER=x", values=VALUES)

    assert text == "# mine\nFIRST=kept\nOTHER=x\nSECOND=two\n"


def test_a_blank_variable_counts_as_missing() -> None:
    text = env_file.completed('FIRST=\nexport SECOND=""\nOTHER=\n', values=VALUES)

    assert text == "OTHER=\nFIRST=one\nSECOND=two\n"


def test_the_file_is_private_and_a_second_writing_changes_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / ".env"
    env_file.write(path)
    first = path.read_text()
    path.chmod(0o644)

    env_file.write(path)

    assert path.read_text() == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [".env"]


def test_the_fresh_key_is_one_that_fernet_takes() -> None:
    values = env_file.fresh_values()

    key = Fernet(values["TOKEN_ENCRYPTION_KEYS"])

    assert key.decrypt(key.encrypt(b"token")) == b"token"
    assert values["DJANGO_SECRET_KEY"] != env_file.fresh_values()["DJANGO_SECRET_KEY"]


def checkout(root: Path, place: Path) -> Path:
    """A checkout in a folder with a space, and a `bin` that shadows real programs."""
    copy = place / "a check out"
    (copy / "bin").mkdir(parents=True)
    shutil.copytree(root / "scripts", copy / "scripts")
    for path in root.glob("requirements*.lock"):
        shutil.copy(path, copy)
    return copy


def program(folder: Path, name: str, text: str) -> None:
    path = folder / "bin" / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def set_up(folder: Path, level: str, *, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", str(folder / "scripts/setup.sh"), level],
        env={"PATH": path, "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def ready(root: Path, tmp_path: Path) -> Path:
    """A checkout whose Python is there already; pip is a fake that counts its calls."""
    folder = checkout(root, tmp_path)
    (folder / ".venv/bin").mkdir(parents=True)
    python = folder / ".venv/bin/python"
    python.write_text(
        "#!/bin/bash\n"
        f'if [ "$2" = pip ]; then echo "$@" >>"{folder}/calls"; exit; fi\n'
        f'if [ "$2" = "import MySQLdb" ]; then exit 1; fi\n'
        f'exec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    return folder


def installs(folder: Path) -> list[str]:
    return [
        line
        for line in (folder / "calls").read_text().splitlines()
        if "install" in line
    ]


def test_a_second_set_up_installs_nothing(ready: Path) -> None:
    first = set_up(ready, "run", path=os.environ["PATH"])
    second = set_up(ready, "run", path=os.environ["PATH"])

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert installs(ready) == [
        "-m pip install --require-hashes --only-binary :all: -r requirements.lock"
    ]
    assert second.stdout == ""


def test_changed_requirements_are_installed_again(ready: Path) -> None:
    set_up(ready, "run", path=os.environ["PATH"])
    with (ready / "requirements.lock").open("a") as file:
        file.write("another==1\n")

    set_up(ready, "run", path=os.environ["PATH"])

    assert len(installs(ready)) == 2


def test_set_up_for_the_demo_asks_for_no_system_package(ready: Path) -> None:
    program(ready, "apt-get", f'echo "$@" >>"{ready}/apt"')

    done = set_up(ready, "run", path=f"{ready}/bin:{os.environ['PATH']}")

    assert done.returncode == 0, done.stderr
    assert not (ready / "apt").exists()


def without(ready: Path, *names: str) -> str:
    """A PATH on which every usual program is found, except those named."""
    usual = ready / "usual"
    usual.mkdir()
    for folder in ("/usr/sbin", "/usr/bin", "/bin"):
        for tool in Path(folder).iterdir():
            link = usual / tool.name
            if tool.name not in names and not link.exists():
                link.symlink_to(tool)
    script = ready / "scripts/setup.sh"
    # The real folders are looked at as well; here there are none but ours.
    script.write_text(script.read_text().replace(":/usr/sbin:/sbin", ""))
    return f"{ready}/bin:{usual}"


MISSING = (
    "mariadbd",
    "mariadb-install-db",
    "chromium",
    "chromedriver",
    "redis-server",
    "mariadb_config",
    "mysql_config",
)


def test_set_up_for_the_tests_installs_what_is_missing(ready: Path) -> None:
    path = without(ready, *MISSING, "apt-get")
    program(ready, "id", "echo 0")
    program(ready, "apt-get", f'echo "$DEBIAN_FRONTEND $@" >>"{ready}/apt"')

    done = set_up(ready, "test", path=path)

    calls = (ready / "apt").read_text()
    assert (
        "noninteractive install -y --no-install-recommends "
        "mariadb-server chromium chromium-driver redis-server"
    ) in calls
    assert "libmariadb-dev" in calls
    assert calls.splitlines()[0].strip() == "update"
    assert (
        "installing mariadb-server chromium chromium-driver redis-server "
        "(databases and a browser"
    ) in done.stdout


def test_without_root_set_up_says_what_to_install(ready: Path) -> None:
    path = without(ready, *MISSING)
    program(ready, "id", "echo 1000")

    done = set_up(ready, "test", path=path)

    assert done.returncode == 1
    assert done.stderr.startswith(
        "set-up: please install mariadb-server chromium chromium-driver redis-server ("
    )
    assert done.stderr.count("\n") == 1


def test_an_old_python_is_refused_in_one_sentence(root: Path, tmp_path: Path) -> None:
    folder = checkout(root, tmp_path)
    names = [f"python{v}" for v in ("", "3", "3.11", "3.12", "3.13", "3.14")]
    for name in names:
        program(folder, name, "exit 1")

    done = set_up(folder, "run", path=f"{folder}/bin:{os.environ['PATH']}")

    assert done.returncode == 1
    assert done.stderr.startswith("set-up: Python 3.11 or later is needed and none")
    assert done.stderr.count("\n") == 1


def test_serving_ends_everything_when_one_process_ends() -> None:
    retrying = [sys.executable, "-c", "import signal; signal.pause()"]
    short = [sys.executable, "-c", "raise SystemExit(5)"]

    assert serve.run_together([retrying, short]) == 1


def test_an_interrupt_ends_all_processes_and_is_no_failure(tmp_path: Path) -> None:
    told = tmp_path / "told"
    retrying = f"""
import os, pathlib, signal, sys
def told(*_):
    pathlib.Path({str(told)!r}).touch()
    sys.exit()
signal.signal(signal.SIGTERM, told)
os.kill({os.getpid()}, signal.SIGINT)
signal.pause()
"""

    code = serve.run_together([[sys.executable, "-c", retrying]])

    assert code == 0
    assert told.exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
