"""Sentences that are stored in English and shown in the reader's language."""

from __future__ import annotations

import copy
import pickle

import pytest
from django.utils import translation

from common.messages import STORED_LENGTH, Message, MessageField, joined, words_of

NESTED = Message(
    "Every usable token with calls left is held by %(holders)s.",
    holders=joined(
        [
            Message("%(owner)s since %(when)s", owner="run 7", when="2026-03-10"),
            Message("%(count)d more", count=3),
        ]
    ),
)
ENGLISH = (
    "Every usable token with calls left is held by run 7 since 2026-03-10, 3 more."
)


def chinese(message: object) -> str:
    with translation.override("zh-hans"):
        return words_of(message)


def test_a_message_is_english_text_wherever_it_is_taken_for_text() -> None:
    with translation.override("zh-hans"):
        assert (NESTED, f"{NESTED}", str(NESTED)) == (ENGLISH,) * 3


def test_its_words_are_in_the_readers_language() -> None:
    assert NESTED.words == ENGLISH
    assert "run 7" in chinese(NESTED)
    assert "Every usable" not in chinese(NESTED)
    assert "since" not in chinese(NESTED)
    assert "more" not in chinese(NESTED)


@pytest.mark.parametrize(
    "message",
    [Message(), Message("The process that worked on it has died."), NESTED],
)
def test_it_comes_back_from_the_database_as_it_went(message: Message) -> None:
    field = MessageField()

    read = field.from_db_value(field.get_prep_value(message))

    assert (read, read.text, read.values) == (message, message.text, message.values)
    assert chinese(read) == chinese(message)


@pytest.mark.parametrize(
    "turn", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
def test_it_survives_being_copied(turn: object) -> None:
    assert callable(turn)
    assert turn(NESTED).values == NESTED.values


@pytest.mark.parametrize(
    "stored",
    ["", "100% of it", '{"text"', '{"text": 1}', '{"text": "%(a)s", "values": {}}'],
)
def test_what_others_have_written_is_read_as_it_is(stored: str) -> None:
    assert words_of(Message.read(stored)) in {stored, "%(a)s"}


def test_plain_text_has_no_percent_signs_to_fill() -> None:
    assert Message("5% of %s").words == "5% of %s"


def test_what_is_too_long_is_kept_in_english_and_cut() -> None:
    long = Message(
        "The disk of the database is full: %(text)s.", text="x" * STORED_LENGTH
    )

    kept = MessageField().get_prep_value(long)

    assert kept.startswith("The disk of the database is full: xxx")
    assert len(kept) == 500


@pytest.mark.parametrize(
    ("parts", "told"), [([], ""), (["HK"], "HK"), (["HK", "US", "SH"], "HK, US, SH")]
)
def test_words_are_joined(parts: list[str], told: str) -> None:
    assert joined(parts) == told
