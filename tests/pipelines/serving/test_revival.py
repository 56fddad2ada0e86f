"""Who is started again, when, and who is given up: told apart by what a loss says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from limner.pipelines.serving.config import Patience
from limner.pipelines.serving.revival import Loss, Revival, is_from_outside

PATIENCE = Patience()
FAILED = Loss(was_ready=False, stood_s=0.0, is_from_outside=False)
KILLED = Loss(was_ready=False, stood_s=0.0, is_from_outside=True)
KILLED_AT_WORK = Loss(was_ready=True, stood_s=5.0, is_from_outside=True)


def losses_until_broken(loss: Loss) -> list[float]:
    """The waits before it is given up."""
    revival = Revival(PATIENCE)
    waits_s: list[float] = []
    while True:
        is_broken, wait_s = revival.lost(loss)
        if is_broken:
            assert wait_s == PATIENCE.broken_s
            return waits_s
        waits_s.append(wait_s)


def test_a_start_that_fails_by_itself_is_given_up_after_a_few() -> None:
    assert losses_until_broken(FAILED) == [0.5, 1.0, 2.0, 4.0]


def test_a_start_that_is_killed_from_outside_is_waited_out_for_a_quarter_of_an_hour() -> None:
    waits_s = losses_until_broken(KILLED)
    assert waits_s == sorted(waits_s)
    assert waits_s[0] == PATIENCE.restart_s
    assert max(waits_s) == PATIENCE.restart_most_s
    assert sum(waits_s) > 600


def test_getting_ready_once_begins_the_count_anew() -> None:
    revival = Revival(PATIENCE)
    for _ in range(10):
        for _ in range(PATIENCE.give_up_after - 1):
            assert not revival.lost(FAILED)[0]
        revival.ready()


def test_a_worker_killed_at_work_is_never_given_up_and_soon_back_after_a_picture() -> None:
    revival = Revival(PATIENCE)
    for _ in range(200):
        assert not revival.lost(KILLED_AT_WORK)[0]
    revival.painted()
    assert revival.lost(KILLED_AT_WORK) == (False, PATIENCE.restart_s)


def test_what_says_itself_that_it_is_hopeless_is_broken_at_once() -> None:
    assert Revival(PATIENCE).lost(FAILED, is_hopeless=True) == (True, PATIENCE.broken_s)


@pytest.mark.parametrize(("loss", "most"), [(FAILED, 3), (KILLED, 6)])
def test_a_model_that_takes_the_worker_down_while_it_loads_is_left_out(
    loss: Loss, most: int
) -> None:
    revival = Revival(PATIENCE)
    verdicts = [revival.lost_while_loading("heavy", loss) for _ in range(most)]
    assert verdicts == [False] * (most - 1) + [True]
    assert revival.left_out == ("heavy",)


def test_a_model_that_loads_after_all_is_not_left_out() -> None:
    revival = Revival(PATIENCE)
    for _ in range(10):
        revival.lost_while_loading("slow", FAILED)
        revival.loaded("slow")
    assert revival.left_out == ()


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("number", "is_outside"),
    [(signal.SIGKILL, True), (signal.SIGTERM, True), (signal.SIGSEGV, False)],
)
def test_a_real_process_is_told_apart_by_how_it_ended(
    number: signal.Signals, is_outside: bool
) -> None:
    code = subprocess.run(
        [sys.executable, "-c", f"import os; os.kill(os.getpid(), {int(number)})"], check=False
    ).returncode
    assert is_from_outside(code, "") is is_outside
    assert not is_from_outside(code, "It said nothing for 60 s and was stopped.")
