"""What somebody reads whom the quota refuses: the cost, what is left, what to do about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.bot.pricing import credits_text, left_text
from limner.bot.refusals import sentence
from limner.storage.quota_records import Reason, Refused

SOON = 1_790_000_000.0


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (
            Refused(Reason.QUOTA, 4000, 1500, again_at=SOON),
            "That costs 4 credits and you have 1.5 credits left.",
        ),
        (
            Refused(Reason.BUDGET, 1000, 0, again_at=SOON),
            "That costs 1 credit and this server has 0 credits left.",
        ),
        (
            Refused(Reason.QUOTA, 9000, 5000),
            "That costs 9 credits and you have 5 credits left, and waiting gives you no more:"
            " ask for fewer or smaller pictures.",
        ),
        (
            Refused(Reason.QUOTA, 1000, 0),
            "You have no credits here: somebody who manages this server can give you some.",
        ),
        (
            Refused(Reason.BUDGET, 1000, 0),
            "This server has no credits: somebody who manages it can change its budget.",
        ),
        (
            Refused(Reason.TOO_MANY_PIXELS, 1000, 0, cap=512 * 512),
            "That picture is larger than you may paint here: up to 512 × 512 pixels, or that area"
            " in another shape.",
        ),
        (
            Refused(Reason.TOO_MANY_PICTURES, 1000, 0, cap=1),
            "You may ask for 1 picture at once here.",
        ),
        (
            Refused(Reason.TOO_MANY_PICTURES, 1000, 0, cap=3),
            "You may ask for 3 pictures at once here.",
        ),
        (
            Refused(Reason.TOO_MANY_UNFINISHED, 1000, 0, cap=1),
            "You have 1 job under way already, as many as you may: wait for it, or cancel it.",
        ),
        (
            Refused(Reason.TOO_MANY_UNFINISHED, 1000, 0, cap=2),
            "You have 2 jobs under way already, as many as you may: wait for one, or cancel one.",
        ),
        (
            Refused(Reason.TOO_MANY_UNFINISHED, 1000, 0, cap=0),
            "You may not paint here: somebody who manages this server can change that.",
        ),
    ],
)
def test_a_refusal_tells_the_cost_and_what_is_left(refused: Refused, said: str) -> None:
    # When there is more is added where it is told, as for every other refusal.
    assert sentence(refused) == said


@given(st.integers(1, 10**7), st.integers(0, 10**7))
def test_nobody_reads_that_they_have_what_it_costs_and_are_refused(cost: int, left: int) -> None:
    if left < cost:
        assert credits_text(cost) != left_text(left)
    if cost == left and cost % 10 == 0:
        assert credits_text(cost) == left_text(left)
