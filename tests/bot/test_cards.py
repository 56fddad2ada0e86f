"""What cards say, and that they always fit what Discord takes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.bot.ask import Ask, Kind
from limner.bot.cards import DYNAMIC_ITEMS, layout, text
from limner.bot.cards.confirm import MAX_TEXT, asks_of, question
from limner.bot.cards.inpaint import Deed
from limner.bot.cards.layout import Shown, Stage
from limner.bot.cards.text import Defaults
from limner.bot.context import PictureActions
from limner.bot.fitting import Named
from limner.bot.prompts import read
from limner.pipelines.request import Lora
from limner.storage.records import Job, JobStatus, NewJob, Origin, Picture

from .checkpoints import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limner.bot.cards.layout import Sheet

HOUSE = checkpoint()
DEFAULTS = Defaults("house", HOUSE)
LARGEST_ID = 2**63 - 1


def job(**changes: Any) -> Job:
    origin = Origin(user_id=LARGEST_ID, guild_id=1, channel_id=2, message_id=3)
    new = NewJob(
        origin=replace(origin, is_private=changes.pop("is_private", False)),
        kind="imagine",
        request_json="{}",
        prompt="",
        num_pictures=1,
        num_pixels=1,
        seed=7,
        model="house",
        model_fingerprint="f",
        cost=1000,
    )
    made = Job(
        id=LARGEST_ID,
        new=new,
        status=JobStatus.STORED,
        attempts=1,
        num_told_attempts=0,
        error="",
        accepted_at=0.0,
        started_at=1.0,
        stored_at=13.0,
        ended_at=13.0,
        told_at=None,
        delivery_error="",
        gave_up_at=None,
    )
    return replace(made, **changes)


def shown(count: int) -> list[Shown]:
    pictures = [
        Picture(LARGEST_ID - i, 1, i, "a" * 64, LARGEST_ID - i, 128, 128, 9, "{}", 0.0)
        for i in range(count)
    ]
    return [Shown(each, Named(f"limner-{LARGEST_ID}-{each.index}.png", b"x")) for each in pictures]


def walk(sheet: Sheet) -> Iterator[dict[str, Any]]:
    def inside(component: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield component
        for child in component.get("components", []):
            yield from inside(child)

    for component in sheet.view.to_components():
        yield from inside(component)


def words(sheet: Sheet) -> str:
    return "\n".join(c["content"] for c in walk(sheet) if c["type"] == 10)


def check(sheet: Sheet) -> None:
    """Discord's limits, and ours: every pressed thing is understood again from its id alone."""
    components = list(walk(sheet))
    assert len(components) <= 40
    assert len(words(sheet).encode("utf-16-le")) // 2 <= 4000
    assert all(c["content"] for c in components if c["type"] == 10)
    ids = [c["custom_id"] for c in components if "custom_id" in c]
    assert len(ids) == len(set(ids))
    for each in ids:
        assert len(each) <= 100
        matching = [
            item for item in DYNAMIC_ITEMS if item.__discord_ui_compiled_template__.fullmatch(each)
        ]
        assert len(matching) == 1, each
    names = {file.name for file in sheet.files}
    for component in components:
        for item in component.get("items", []):
            assert item["media"]["url"].removeprefix("attachment://") in names
            assert len(item["description"]) <= 1024
        for option in component.get("options", []):
            assert len(option["label"]) <= 100
            assert len(option["description"]) <= 100
    assert len(names) == len(sheet.files) <= 10


prompts = st.sampled_from(["*" * 6000, "\U0001f600" * 6000, "word " * 1200]) | st.text(max_size=900)
asks = st.builds(
    Ask,
    prompts,
    kind=st.sampled_from(Kind),
    negative_prompt=prompts,
    count=st.integers(1, 4),
    seed=st.integers(0, LARGEST_ID),
    steps=st.integers(1, 150),
    guidance_scale=st.floats(0, 30),
    sampler=st.sampled_from(["dpmpp_2m", "dpmpp_singlestep_karras"]),
    width=st.integers(64, 4096),
    height=st.integers(64, 4096),
    model=st.sampled_from(["house", "m" * 50]),
    style=st.sampled_from(["", "s" * 50]),
    loras=st.lists(st.sampled_from([Lora("l" * 50, -1.5), Lora("l" * 50)]), max_size=8).map(tuple),
    init_image=st.sampled_from(["", "a" * 64]),
    strength=st.none() | st.floats(0, 1),
    notes=st.lists(st.text(max_size=150), max_size=3).map(tuple),
)
actions = st.sampled_from([PictureActions(), PictureActions(*[lambda *_: None] * 2)])  # type: ignore[list-item]


@settings(max_examples=60)
@given(asks, st.integers(0, 4), actions, st.booleans())
def test_a_finished_card_fits_whatever_was_asked(
    ask: Ask, count: int, can: PictureActions, is_private: bool
) -> None:
    made = job(is_private=is_private)
    url = "https://discord.com/channels/1/2/3"
    sheet = layout.done(made, ask, DEFAULTS, shown(count), can, parent_url=url)
    check(sheet)
    check(layout.addressed(sheet, LARGEST_ID))


@settings(max_examples=60)
@given(asks, prompts)
def test_every_other_card_fits_too(ask: Ask, error: str) -> None:
    unknown = Defaults("house", None)
    check(layout.waiting(job(), ask, unknown, Stage(place=99_999, wait_s=1e9)))
    running = Stage(has_begun=True, step=149, steps=600, left_s=1e9, preview=b"x")
    check(layout.waiting(job(), ask, unknown, running))
    check(layout.failed(job(status=JobStatus.FAILED, error=error), ask, unknown))
    check(layout.failed(job(status=JobStatus.FAILED, error=error), None, unknown))
    check(layout.cancelled(job(status=JobStatus.CANCELLED), ask, unknown))


@given(st.lists(st.text("ab*_@\\", min_size=1, max_size=90), min_size=2, max_size=16, unique=True))
def test_a_question_fits_and_reads_its_own_text(choices: list[str]) -> None:
    typed = "{" + ",".join(choice.replace("\\", "\\\\") for choice in choices) + "}"
    if len(typed) > MAX_TEXT:
        return
    asks = asks_of(typed, "a" * 64, {"house": HOUSE})
    view = question(typed, asks, 12_345)
    assert view.content_length() <= 4000
    (button, _) = [c for c in walk(layout.Sheet(view)) if c["type"] == 2]
    assert len(button["custom_id"]) <= 100
    assert [ask.init_image for ask in asks] == ["a" * 64] * len(asks)


def test_only_what_differs_from_the_defaults_is_said():
    usual = Ask(
        "heart",
        steps=20,
        guidance_scale=5.0,
        sampler="dpmpp_2m",
        width=128,
        height=128,
        model="house",
    )
    assert text.differing(usual, DEFAULTS) == []
    other = replace(usual, steps=30, guidance_scale=6.5, width=152, height=104, sampler="euler")
    assert text.differing(other, DEFAULTS) == ["152×104", "30 steps", "guidance 6.5", "euler"]


def test_a_card_says_who_asked_how_long_it_took_and_what_it_cost():
    said = words(layout.done(job(), Ask("heart"), DEFAULTS, shown(1), PictureActions()))
    assert f"<@{LARGEST_ID}> · painted in 10 s · 1 credit · #{LARGEST_ID}" in said


def test_a_failure_says_its_sentence_and_charges_nothing():
    failed = job(status=JobStatus.FAILED, error="Out of memory: ask for a smaller picture.")
    said = words(layout.failed(failed, Ask("heart"), DEFAULTS))
    assert "Out of memory: ask for a smaller picture." in said
    assert "credit" not in said


@given(asks)
def test_the_typed_form_of_an_ask_paints_the_same(ask: Ask) -> None:
    """Where the text has nothing that means something when typed."""
    ask = replace(
        ask,
        kind=Kind.IMAGINE,
        prompt=re.sub(r"[^a-z ]", "", ask.prompt)[:50].strip() or "heart",
        negative_prompt=re.sub(r"[^a-z ]", "", ask.negative_prompt)[:50].strip(),
        guidance_scale=round(ask.guidance_scale or 0, 3),
        strength=None,
        init_image="",
        notes=(),
    )
    (line,) = read(text.typed(ask))
    (again,) = asks_of(text.typed(ask), "", {"house": HOUSE})
    assert line.prompt == " ".join(ask.prompt.split())
    same = replace(
        ask,
        prompt=line.prompt,
        negative_prompt=" ".join(ask.negative_prompt.split()),
    )
    assert again == same


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (4.4, "4 s"), (42, "40 s"), (95, "2 min"), (1800, "30 min"), (9000, "2 h")],
)
def test_durations_are_as_exact_as_a_person_wants_them(seconds: float, said: str):
    assert text.duration(seconds) == said


@pytest.mark.parametrize(("deed", "num_items"), [*((deed, 1) for deed in Deed), ("burn", 0)])
def test_only_a_deed_that_exists_is_a_mask_button(deed: str, num_items: int) -> None:
    made = f"limner1:mask:{deed}:{'0' * 64}:0:-2:3"
    patterns = [item.__discord_ui_compiled_template__ for item in DYNAMIC_ITEMS]
    assert sum(pattern.fullmatch(made) is not None for pattern in patterns) == num_items
