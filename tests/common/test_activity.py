"""谁在做事:外面的人在里面的人做完以后又是他。"""

from __future__ import annotations

from common.activity import Actor, Way, act_as, acting, actor, system_user

ANNA = Actor("anna", Way.PAGE)
SCRIPT = Actor("anna", Way.KEY, "script")


def test_without_anybody_it_is_the_operating_systems_user() -> None:
    assert actor() == Actor(system_user(), Way.COMMAND)
    assert system_user() != ""


def test_whoever_acted_before_acts_again_afterwards() -> None:
    with acting(ANNA):
        with acting(SCRIPT):
            assert actor() is SCRIPT
        assert actor() is ANNA


def test_a_key_that_is_recognized_within_a_request_acts_until_its_end() -> None:
    with acting(ANNA):
        act_as(SCRIPT)

        assert actor() is SCRIPT
    assert actor().way == Way.COMMAND
