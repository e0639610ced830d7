"""分叉服务器:Django 只装一次,命令从它分出来,不再各花一秒启动。

    python -m tests.e2e.preloaded DESCRIPTOR

takes commands from the Unix socket of that number until it is closed. A message holds
the words of a command and brings its three standard streams and a socket, which is
told the process number, and at the end the exit code as subprocess has it. A command
does what manage.py does, whose main() it runs.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence

import django
from django.core.checks import run_checks
from django.core.management import get_commands, load_command_class

import manage

BYTES_AT_MOST = 65_536
BROUGHT = 4  # standard input, output, error, and whom to tell


def preload() -> None:
    """装好命令要用的一切;不连数据库,也不开线程。"""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stocksync_site.settings")
    django.setup()
    for name, app in get_commands().items():
        load_command_class(app, name)
    run_checks()  # every command does, which draws in all pages and endpoints
    gc.freeze()  # what lives now lives for ever: no child need look at it again


def next_command(server: socket.socket) -> list[str]:
    """在分出来的进程里返回命令的字;服务器自己在没有人要它时退出。"""
    while True:
        words, brought, _, _ = socket.recv_fds(server, BYTES_AT_MOST, BROUGHT)
        if not words:
            sys.exit()
        if os.fork() == 0:
            server.close()
            _become_the_command(brought)
            return [str(word) for word in json.loads(words)]
        for number in brought:
            os.close(number)


def _become_the_command(brought: Sequence[int]) -> None:
    # Another fork: only a parent learns how a process ended, and it has to wait for it.
    *streams, told = brought
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if command := os.fork():
        for stream in streams:
            os.close(stream)  # whoever reads them sees the end with the command's
        os.write(told, str(command).encode())
        _, status = os.waitpid(command, 0)
        os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for number in brought:
        os.close(number)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> None:
    """装好,等命令;在分出来的进程里执行它。"""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ends when the tests do
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for who waits
    preload()
    words = next_command(socket.socket(fileno=int(sys.argv[1])))
    sys.argv = [manage.__file__, *words]
    manage.main()


if __name__ == "__main__":
    main()
