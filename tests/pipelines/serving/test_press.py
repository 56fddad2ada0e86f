"""The press alone: what it is given is judged in one go, and leaves only as the verdict allows."""

from __future__ import annotations

import threading
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageStat

from limner.pipelines.events import Result, Timings
from limner.pipelines.request import Request
from limner.pipelines.safety.checker import Verdict
from limner.pipelines.serving.channel import Receiver, Sender
from limner.pipelines.serving.messages import (
    PictureBlocked,
    PictureFailed,
    PicturePainted,
    PicturePreviewed,
)
from limner.pipelines.serving.press import Press
from limner.pipelines.serving.updates import Cause

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = ("red", "blue", "green")


def plain(colour: str) -> Image.Image:
    return Image.new("RGB", (32, 32), colour)


class RedChecker:
    """Red is unsafe, and green more than it can bear. Waits for `go` before it first judges."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.sizes: list[int] = []

    def check(self, pictures: Sequence[Image.Image]) -> list[Verdict]:
        assert self.go.wait(60)
        self.sizes.append(len(pictures))
        verdicts: list[Verdict] = []
        for picture in pictures:
            red, green, blue = ImageStat.Stat(picture.convert("RGB")).mean
            if green > max(red, blue):
                raise ValueError("green")
            verdicts.append(Verdict.of("reds", "red", red / 255, 0.5))
        return verdicts


class Worker:
    """What a worker has of a press: a pipe, and what was answered about grounds."""

    def __init__(self, checker: RedChecker | None) -> None:
        self.pipe = BytesIO()
        self.press = Press(Sender(self.pipe), "", checker)
        self.answers: dict[str, Verdict | None] = {}

    def print(
        self, key: str, colour: str, *, shows_unsafe: bool = False, mode: str = "RGB"
    ) -> None:
        request = Request(colour, seed=7, steps=1, width=32, height=32, sampler="ddim")
        image = plain(colour) if mode == "RGB" else plain(colour).convert("L").convert(mode)
        result = Result(image, 7, request, Timings())
        self.press.print(key, 0, result, "house", "f", shows_unsafe=shows_unsafe)

    def judge(self, key: str, colour: str) -> None:
        self.press.judge(key, plain(colour), lambda verdict: self.answers.update({key: verdict}))

    def reports(self) -> list[object]:
        """All that left the process, once the press is through."""
        self.press.close()
        receiver = Receiver(BytesIO(self.pipe.getvalue()))
        told: list[object] = []
        while (report := receiver.receive()) is not None:
            told.append(report)
        return told


def test_what_is_unsafe_stays_and_what_cannot_be_judged_takes_no_other_with_it() -> None:
    checker = RedChecker()
    worker = Worker(checker)
    for colour in COLOURS:
        worker.print(colour, colour)
        worker.print(f"shown {colour}", colour, shows_unsafe=True)
        worker.press.show(f"glimpse {colour}", 0, plain(colour))
        worker.judge(colour, colour)
    checker.go.set()
    told = {(type(report), report.key): report for report in worker.reports()}  # type: ignore[attr-defined]
    assert set(told) == {
        (PictureBlocked, "red"),
        (PicturePainted, "shown red"),
        (PicturePainted, "blue"),
        (PicturePainted, "shown blue"),
        (PicturePreviewed, "glimpse blue"),
        (PictureFailed, "green"),
        (PictureFailed, "shown green"),
    }
    failed = told[PictureFailed, "green"]
    assert isinstance(failed, PictureFailed)
    assert failed.cause is Cause.CHECKER
    shown = told[PicturePainted, "shown red"]
    assert isinstance(shown, PicturePainted)
    assert shown.verdict == Verdict("reds", "red", 1.0, is_unsafe=True)
    assert {key: v and v.is_unsafe for key, v in worker.answers.items()} == {
        "red": True,
        "blue": False,
        "green": None,
    }


def test_a_picture_that_cannot_be_a_file_fails_alone() -> None:
    """Pillow raises `OSError` over it, as a closed pipe does."""
    worker = Worker(None)
    worker.print("odd", "red", mode="F")
    worker.press.show("odd glimpse", 0, plain("red"))
    worker.print("fine", "blue")
    odd, glimpse, fine = worker.reports()
    assert isinstance(odd, PictureFailed)
    assert (odd.key, odd.cause) == ("odd", Cause.PAINTING)
    assert isinstance(glimpse, PicturePreviewed)
    assert isinstance(fine, PicturePainted)


def test_what_waits_together_is_judged_together() -> None:
    checker = RedChecker()
    worker = Worker(checker)
    for number in range(9):
        worker.print(str(number), "blue")
    checker.go.set()
    assert len(worker.reports()) == 9
    # The first may have been taken before the second came.
    assert len(checker.sizes) <= 3
    assert max(checker.sizes) == 8


@pytest.mark.parametrize("has_checker", [True, False])
def test_previews_are_judged_now_and_then_and_shown_always_where_nobody_judges(
    has_checker: bool,
) -> None:
    checker = RedChecker() if has_checker else None
    worker = Worker(checker)
    for _ in range(4):
        worker.press.show("a", 0, plain("blue"))
    if checker is not None:
        checker.go.set()
    assert len(worker.reports()) == (1 if has_checker else 4)


def test_where_nobody_judges_everything_is_handed_out() -> None:
    worker = Worker(None)
    for colour in COLOURS:
        worker.print(colour, colour)
    told = worker.reports()
    assert [report.verdict for report in told if isinstance(report, PicturePainted)] == [None] * 3
