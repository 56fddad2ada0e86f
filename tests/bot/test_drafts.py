"""A draft is one kept file; it outlives the process, and what is no draft is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import limner.pipelines
from limner.bot.ask import Ask, Kind
from limner.bot.decoding import encode
from limner.bot.drafts import Draft, Touch, _read, _written, keep_draft, load_draft
from limner.bot.errors import RefusedError
from limner.bot.opening import open_studio
from limner.bot.settings import ModelSettings, Settings, StorageSettings

from .odd_pictures import see_through

if TYPE_CHECKING:
    from collections.abc import Callable

HOUSE = Path(limner.pipelines.__file__).parent / "house"
MASK = Image.new("L", (64, 48), 0)
MASK.paste(255, (3, 4, 30, 20))
ASK = Ask('a "heart" ♥\n--x', Kind.INPAINT, negative_prompt="ü", count=2, notes=("first frame",))


def settings_for(folder: Path) -> Settings:
    return Settings(
        models={"house": ModelSettings(path=HOUSE)},
        storage=StorageSettings(folder=folder, free_mib=1),
    )


@pytest.mark.skipif(not HOUSE.exists(), reason="the house model is not in this checkout")
async def test_a_draft_outlives_the_process(tmp_path: Path):
    async with open_studio(settings_for(tmp_path)) as studio:
        sha256 = await keep_draft(studio, ASK, see_through(), MASK, owner_id=1 << 60)
    async with open_studio(settings_for(tmp_path)) as studio:
        draft, picture, mask = await load_draft(studio, sha256)
        assert draft.ask == ASK
        assert draft.owner_id == 1 << 60
        assert picture.tobytes() == see_through().tobytes()
        assert mask.tobytes() == MASK.tobytes()
        for missing in ("0" * 64, draft.picture):
            with pytest.raises(RefusedError, match="too old"):
                await load_draft(studio, missing)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.integers(0, 1 << 63))
def test_any_words_survive_in_a_draft(words: str, owner_id: int):
    draft = Draft(Ask(words, negative_prompt=words, notes=(words,)), "0" * 64, owner_id)
    again, mask = _read(_written(draft, MASK))
    assert again == draft
    assert mask.tobytes() == MASK.tobytes()


def test_a_picture_that_is_no_draft_is_not_taken_for_one():
    with pytest.raises(KeyError):
        _read(encode(MASK))


@pytest.mark.parametrize(
    "press",
    [
        lambda touch: Touch(touch.is_inverted, touch.grow + 1, touch.feather),
        lambda touch: Touch(touch.is_inverted, touch.grow - 1, touch.feather),
        lambda touch: Touch(touch.is_inverted, touch.grow, touch.feather + 1),
        lambda touch: Touch(touch.is_inverted, touch.grow, touch.feather - 1),
    ],
)
def test_pressing_for_ever_stays_within_one_digit(press: Callable[[Touch], Touch]):
    touch = Touch()
    for _ in range(50):
        touch = press(touch).bounded()
    assert -9 <= touch.grow <= 9
    assert 0 <= touch.feather <= 9
    touch.apply(MASK)
