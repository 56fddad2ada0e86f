"""What a prompt may not say is found however the encoder is told to weigh it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from limner.bot.censor import Censor
from limner.bot.errors import RefusedError
from limner.bot.expressions import Expressions
from limner.bot.guild_rules import RuleBook, Rules
from limner.storage.storage import Storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

GUILD = 8


@pytest_asyncio.fixture
async def censor(tmp_path: Path) -> AsyncIterator[Censor]:
    async with Storage.open(tmp_path) as storage:
        censor = Censor(("gore",), RuleBook(storage))
        yield censor
        censor.close()


@pytest.mark.parametrize(
    "prompt",
    [
        "lo()li",
        "l[]oli",
        "(lo:1)li",
        "(lo:1.3)li",
        "naked (child:1)",
        "naked ()child",
        "(naked:1.2)(child:1.1)",
        "(naked:1.2)child",
        "child-porn",
        "child\u2010porn",
        "((naked) [child])",
    ],
)
async def test_words_behind_weights_and_dashes_are_found(censor: Censor, prompt: str) -> None:
    with pytest.raises(RefusedError, match="not painted here"):
        await censor.require_clean((prompt,), GUILD, Rules())
    assert await censor.hits(prompt, Rules())


@pytest.mark.parametrize(
    "prompt", ["a (child:1.2) with a [bear]", "naked, a child", r"lo\(\)li", "a blue-eyed child"]
)
async def test_weights_and_dashes_alone_forbid_nothing(censor: Censor, prompt: str) -> None:
    await censor.require_clean((prompt,), GUILD, Rules())


async def test_expressions_see_what_the_encoder_sees(censor: Censor) -> None:
    rules = Rules(expressions=Expressions([r"\bn[a4]ked\b"]))
    for prompt in ("na(ke:1.2)d", "n4()ked"):
        with pytest.raises(RefusedError, match="not painted here"):
            await censor.require_clean((prompt,), GUILD, rules)


async def test_one_that_is_not_understood_any_more_is_named_by_the_test(censor: Censor) -> None:
    rules = Rules(expressions=Expressions(["(", "gore"]))
    hits = await censor.hits("a gore picture", rules)
    assert [(each.entry, each.is_regex) for each in hits] == [
        ("gore", False),
        ("(", True),
        ("gore", True),
    ]
