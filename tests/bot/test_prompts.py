"""What people type: flags, permutations, adapters, and the safe line back."""

from __future__ import annotations

import contextlib
import itertools
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.bot.errors import RefusedError
from limner.bot.permutations import MAX_TEXTS
from limner.bot.prompts import (
    Flags,
    Line,
    clean,
    escape,
    read,
    shorten,
    unescape,
    write,
)
from limner.pipelines.request import Lora


def one(text: str) -> Line:
    (line,) = read(text)
    return line


def test_plain_words_are_the_prompt():
    assert one("  a  red\nheart ") == Line("a red heart")


def test_every_flag_of_the_mission_is_read():
    line = one(
        "a red heart --ar 3:2 --seed 7 --no clouds --steps 30 --cfg 6 --n 2 --model x --style y"
    )
    assert line.prompt == "a red heart"
    assert line.flags == Flags(
        aspect=(3, 2),
        seed=7,
        negative="clouds",
        steps=30,
        guidance_scale=6.0,
        count=2,
        model="x",
        style="y",
    )


def test_words_after_a_flags_value_belong_to_the_prompt():
    assert one("a --seed 7 red heart") == Line("a red heart", Flags(seed=7))


def test_no_takes_everything_up_to_the_next_flag_and_adds_up():
    flags = one("sky --no dark clouds, rain --seed 1 --no birds").flags
    assert flags.negative == "dark clouds, rain, birds"


def test_a_name_with_spaces_goes_in_quotes():
    assert one('a --style "old oil" b') == Line("a b", Flags(style="old oil"))


@pytest.mark.parametrize("dash", ["—", "–"])
def test_a_phones_long_dash_is_two_dashes_before_a_flags_name_only(dash: str):
    assert one(f"heart {dash}ar 3:2") == Line("heart", Flags(aspect=(3, 2)))
    assert one(f"heart {dash}broken {dash} red") == Line(f"heart {dash}broken {dash} red")
    assert one(f"heart{dash}ar") == Line(f"heart{dash}ar")


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [("--sed 7", "--seed"), ("--stepz 3", "--steps"), ("--modell x", "--model")],
)
def test_a_wrong_flag_is_answered_with_the_nearest_right_one(typed: str, nearest: str):
    with pytest.raises(RefusedError, match=f"did you mean {nearest}\\?"):
        read(f"heart {typed}")


def test_a_flag_like_no_other_is_answered_with_the_list():
    with pytest.raises(RefusedError, match="--ar, --w"):
        read("heart --zzzzzz")


@pytest.mark.parametrize(
    "typed", ["--seed seven", "--seed -1", "--ar 3", "--ar 0:2", "--cfg nan", "--seed", "--n ²"]
)
def test_a_wrong_value_is_answered_with_an_example(typed: str):
    with pytest.raises(RefusedError, match=r"^--[a-z]+ takes .*such as --"):
        read(f"heart {typed}")


def test_of_a_shape_and_a_size_the_last_one_holds():
    assert one("a --ar 3:2 --w 64").flags == Flags(width=64)
    assert one("a --w 64 --h 32 --ar 3:2").flags == Flags(aspect=(3, 2))


# ---------------------------------------------------------------------- permutations


def test_permutations_are_spelled_out_in_order():
    prompts = [line.prompt for line in read("a {red, green} {heart, star}")]
    assert prompts == ["a red heart", "a red star", "a green heart", "a green star"]


def test_permutations_reach_into_flags_and_each_other():
    lines = read("{a, {b, c} d} --seed {1, 2}")
    assert [(line.prompt, line.flags.seed) for line in lines] == [
        ("a", 1),
        ("a", 2),
        ("b d", 1),
        ("b d", 2),
        ("c d", 1),
        ("c d", 2),
    ]


def test_braces_that_offer_nothing_stay_as_they_are():
    assert one("a {red} heart } {").prompt == "a {red} heart } {"
    assert one(r"a \{red\, green\}").prompt == "a {red, green}"


def test_repeat_repeats_the_line():
    assert read("heart --repeat 3") == (Line("heart"),) * 3


@pytest.mark.parametrize("text", ["{a,b}" * 5, "{a,b} --repeat 9", "heart --repeat 99"])
def test_too_many_prompts_are_refused_with_their_number(text: str):
    with pytest.raises(RefusedError, match=f"one command takes {MAX_TEXTS}"):
        read(text)


def test_a_bomb_of_braces_is_refused_before_it_is_expanded():
    with pytest.raises(RefusedError, match="That makes"):
        read("{a,b}" * 800)
    with pytest.raises(RefusedError, match="deep"):
        read("{" * 1000 + "a,b" + "}" * 1000)


@given(
    st.lists(
        st.lists(st.text("abc", min_size=1, max_size=3), min_size=2, max_size=4),
        min_size=1,
        max_size=2,
    )
)
def test_permutations_are_the_product(groups: list[list[str]]):
    text = " ".join("{" + ",".join(group) + "}" for group in groups)
    assert [line.prompt for line in read(text)] == [
        " ".join(chosen) for chosen in itertools.product(*groups)
    ]


# -------------------------------------------------------------------------- adapters


def test_an_adapter_is_taken_out_of_the_prompt():
    assert one("a <lora:ink:0.8> heart <lora:wash>") == Line(
        "a heart", Flags(), (Lora("ink", 0.8), Lora("wash", None))
    )


@pytest.mark.parametrize("text", ["<lora:ink:much>", "<lora:ink:3>", "<lora:ink:nan>"])
def test_an_adapters_weight_is_a_small_number(text: str):
    with pytest.raises(RefusedError):
        read(text)


# ------------------------------------------------------------------------ round trip

words = st.text(string.ascii_letters + "äß漢,.!?'{}\\", min_size=1, max_size=8)
prose = st.lists(words, min_size=1, max_size=5).map(" ".join)
names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=10)
numbers = st.integers(0, 999_999)
sizes = st.one_of(
    st.just({}),
    st.tuples(st.integers(1, 99), st.integers(1, 99)).map(lambda pair: {"aspect": pair}),
    st.tuples(numbers, numbers).map(lambda pair: {"width": pair[0], "height": pair[1]}),
)
flags = st.builds(
    lambda size, **rest: Flags(**size, **rest),
    sizes,
    seed=st.none() | numbers,
    negative=st.just("") | prose,
    steps=st.none() | numbers,
    guidance_scale=st.none() | st.integers(0, 30_000).map(lambda n: n / 1000),
    strength=st.none() | st.integers(0, 1000).map(lambda n: n / 1000),
    count=st.none() | st.integers(1, 4),
    sampler=st.just("") | names,
    model=st.just("") | names,
    style=st.just("") | names,
    is_private=st.booleans(),
)
loras = st.lists(
    st.builds(Lora, names, st.none() | st.integers(-20, 20).map(lambda n: n / 10)), max_size=3
).map(tuple)


@given(st.builds(Line, prose, flags, loras))
def test_a_written_line_reads_back(line: Line):
    assert read(write(line)) == (line,)


@given(st.text(max_size=200))
def test_whatever_is_typed_is_read_or_refused(text: str):
    with contextlib.suppress(RefusedError):
        lines = read(text)
        assert 1 <= len(lines) <= MAX_TEXTS
        assert all(line.prompt == clean(line.prompt) for line in lines)


# --------------------------------------------------------------------------- showing


@given(st.text(max_size=200).map(clean))
def test_what_was_escaped_comes_back(text: str):
    assert unescape(escape(text)) == text


@pytest.mark.parametrize(
    "text",
    ["@everyone", "<@123456789012345678>", "<#1>", "**b**", "||s||", "[a](https://b.c)", "`c`"],
)
def test_nothing_that_means_something_to_discord_is_left_unescaped(text: str):
    shown = escape(text)
    special = set("*_~`|<>[]()#@")
    for index, character in enumerate(shown):
        if character in special:
            assert shown[index - 1] == "\\"
    assert "https:" not in shown


@pytest.mark.parametrize("text", ["- item", "+ item", "1. item", "# big", "-# small", "> quote"])
def test_a_line_does_not_begin_a_list_or_a_heading(text: str):
    assert "\\" in escape(text)[: text.index(" ") + 1]


@given(st.text(max_size=300), st.integers(2, 100))
def test_shortening_keeps_the_beginning_and_the_limit(text: str, limit: int):
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text or text.startswith(short.removesuffix("…"))


def test_direction_overrides_and_controls_are_dropped():
    assert clean("a\u202eb\x00c\td\u2066e") == "abc de"
