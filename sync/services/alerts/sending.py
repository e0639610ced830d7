"""把消息发给几个接收方:同时发,谁也不等谁,到时间就不再等。"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, as_completed
from contextlib import suppress
from threading import Thread

from django.conf import settings
from django.core.mail import EmailMessage

from common.messages import Message
from common.webhooks import Webhook
from sync.engine.errors import SyncError, TimedOut
from sync.providers.http import Channel, Deadline

from . import shapes
from .digest import Digest
from .receivers import Receiver

logger = logging.getLogger(__name__)

# Seconds: for a whole webhook, and for a whole mail, which has several steps.
WEBHOOK, CONNECT = 10.0, 5.0
LONGEST = 20.0
MAX_BYTES = 100_000

# What came of a message: None where it was taken, else why not.
Result = Message | None


def send(digests: Mapping[Receiver, Digest]) -> Iterator[tuple[Receiver, Result]]:
    """同时发给每个接收方,谁先有结果先给出谁的;总共不超过 `LONGEST` 秒。

    One that hangs keeps its thread, not the caller: nothing can end a mail server's
    silence from outside. What it still says is not heard.
    """
    waited = {_start(each, digest): each for each, digest in digests.items()}
    with suppress(TimeoutError):
        for done in as_completed(list(waited), timeout=LONGEST):
            yield waited.pop(done), done.result()
    for receiver in waited.values():
        yield receiver, _late(_host(receiver))


def _start(receiver: Receiver, digest: Digest) -> Future[Result]:
    waited: Future[Result] = Future()

    def run() -> None:
        try:
            waited.set_result(_sent(receiver, digest))
        except Exception as error:  # noqa: BLE001 - the outermost frame of a thread
            # Only the class: the text may hold the address, which may be a secret.
            kind = type(error).__name__
            logger.error("An alert could not be sent: %s", kind)  # noqa: TRY400
            waited.set_result(Message("It failed: %(error)s", error=kind))

    Thread(target=run, name="alert", daemon=True).start()
    return waited


def _host(receiver: Receiver) -> str:
    return receiver.webhook.host if receiver.webhook else settings.EMAIL_HOST


def _sent(receiver: Receiver, digest: Digest) -> Result:
    if receiver.webhook:
        return _posted(receiver.webhook, digest)
    return _mailed(receiver.label, digest)


def _posted(webhook: Webhook, digest: Digest) -> Result:
    limits = Deadline(whole=WEBHOOK, connect=CONNECT, read=WEBHOOK)
    channel = Channel(limits, max_bytes=MAX_BYTES)
    try:
        answer = channel.post(webhook.url, shapes.body(webhook.shape, digest))
    except TimedOut:
        return _late(webhook.host)
    except SyncError:
        return _broken(webhook.host)
    finally:
        channel.close()
    return shapes.refusal(webhook.shape, answer)


def _mailed(address: str, digest: Digest) -> Result:
    lines = "\n".join(digest.lines)
    mail = EmailMessage(subject=digest.title, body=f"{lines}\n", to=[address])
    try:
        mail.send()
    except TimeoutError:
        return _late(settings.EMAIL_HOST)
    except smtplib.SMTPRecipientsRefused:
        return Message("The mail server does not take mail for this address")
    except smtplib.SMTPResponseException as error:
        return Message("The mail server answered %(code)d", code=error.smtp_code)
    except (smtplib.SMTPException, OSError):
        return _broken(settings.EMAIL_HOST)
    return None


def _late(host: str) -> Message:
    return Message("%(host)s did not answer in time", host=host)


def _broken(host: str) -> Message:
    return Message("The connection to %(host)s failed", host=host)
