"""Prompts: exactly diffusers' without weights, compel's mathematics with them, chunks when long."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from limner.pipelines import describe
from limner.pipelines.engine.conditioning import Conditioner
from limner.pipelines.families.family import PromptAsk
from limner.pipelines.families.registry import load
from limner.pipelines.prompt import parse_weights, take_loras, words_alone
from limner.pipelines.request import Lora

if TYPE_CHECKING:
    from pathlib import Path

    from limner.pipelines.families.family import Model

LONG = "a red cat and a blue dog, " * 12


@pytest.fixture(scope="module")
def sd(models: dict[str, Path]) -> Model:
    return load(describe(models["sd1"]), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def sdxl(models: dict[str, Path]) -> Model:
    return load(describe(models["sdxl"]), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a cat", [("a cat", 1.0)]),
        ("", [("", 1.0)]),
        ("a (cat:1.3) dog", [("a ", 1.0), ("cat", 1.3), (" dog", 1.0)]),
        ("a (cat)", [("a ", 1.0), ("cat", 1.1)]),
        ("[cat]", [("cat", 1 / 1.1)]),
        ("((cat))", [("cat", 1.1 * 1.1)]),
        ("(a (cat:2):0.5)", [("a ", 0.5), ("cat", 1.0)]),
        (r"\(cat\)", [("(cat)", 1.0)]),
        ("cat) dog]", [("cat) dog]", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        ("time 12:30, a:b", [("time 12:30, a:b", 1.0)]),
        ("(a:b)", [("a:b", 1.1)]),
    ],
)
def test_weights_are_read_as_people_write_them(text: str, parts: list[tuple[str, float]]) -> None:
    assert parse_weights(text) == [(words, pytest.approx(weight)) for words, weight in parts]


def test_brackets_weigh_to_a_depth_that_nobody_needs() -> None:
    deep = "(" * 40 + "cat" + ":0.9)" * 40
    assert parse_weights(deep) == [("cat", pytest.approx(0.9**32))]


@given(st.text(st.sampled_from("ab ()[]:1.\\"), max_size=40))
def test_the_words_alone_are_what_the_encoder_gets(text: str) -> None:
    assert "".join(words_alone(text)) == "".join(words for words, _ in parse_weights(text))


def test_adapters_are_taken_out_of_the_text() -> None:
    text, loras = take_loras("a <lora:ink:0.8> cat <lora:soft>")
    assert text == "a cat"
    assert loras == (Lora("ink", 0.8), Lora("soft"))
    assert take_loras("a  cat") == ("a  cat", ())


@pytest.mark.parametrize("text", ["", "a red cat", "cat, dog; 12:30 - 'blue'"])
def test_without_weights_tokens_are_the_tokenizers_own(sd: Model, text: str) -> None:
    tokenizer = sd.text.tokenizer
    own = tokenizer(text, padding="max_length", max_length=77, return_tensors="pt").input_ids
    assert torch.equal(sd.text.tokenize(text, 1).ids, own)


def _compel(models: dict[str, Path]) -> object:
    with warnings.catch_warnings(action="ignore"):
        compel = pytest.importorskip("compel")
        import diffusers

        pipe = diffusers.StableDiffusionPipeline.from_pretrained(models["sd1"])
        return compel.Compel(
            tokenizer=pipe.tokenizer,
            text_encoder=pipe.text_encoder,
            truncate_long_prompts=False,
        )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("a (red:1.3) cat", "a (red)1.3 cat"),
        ("a (red cat:1.8), (dog:1.2)", "a (red cat)1.8, (dog)1.2"),
        ("(blue dog:1.5)", "(blue dog)1.5"),
    ],
)
def test_weights_are_compels(models: dict[str, Path], sd: Model, ours: str, theirs: str) -> None:
    compel = _compel(models)
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        expected = compel(theirs)[0]
    got = sd.encode_prompts([PromptAsk(ours)])[0].context
    assert torch.allclose(got, expected, atol=2e-5)


def test_a_weight_below_one_moves_towards_the_empty_prompt(sd: Model) -> None:
    def context(text: str) -> torch.Tensor:
        return sd.encode_prompts([PromptAsk(text)])[0].context

    plain, empty = context("cat"), context("")
    half, none = context("(cat:0.5)"), context("(cat:0)")
    assert torch.allclose(half[1], (plain[1] + empty[1]) / 2, atol=1e-5)
    assert torch.allclose(none[1], empty[1], atol=1e-5)
    assert torch.equal(half[0], plain[0]), "what has no weight stays as it is"


def test_long_prompts_go_on_in_chunks(sd: Model) -> None:
    chunks = sd.count_chunks(LONG)
    assert chunks > 1
    context = sd.encode_prompts([PromptAsk(LONG, num_chunks=chunks)])[0].context
    assert context.shape == (77 * chunks, sd.context_width)
    first = sd.encode_prompts([PromptAsk(LONG, num_chunks=1)])[0].context
    assert torch.allclose(context[:77], first, atol=1e-5)
    assert not torch.allclose(context[77:154], first)


def test_two_encoders_and_the_absent_negative_prompt(sdxl: Model) -> None:
    prompt, absent, said = sdxl.encode_prompts(
        [PromptAsk("cat"), PromptAsk("", is_negative=True), PromptAsk("dog", is_negative=True)]
    )
    assert prompt.context.shape == (77, 64)
    assert not absent.context.any()
    assert absent.pooled is not None
    assert not absent.pooled.any()
    assert said.context.any()
    vector = sdxl.vector(prompt, 1216, 832, guidance_scale=5.0)
    assert vector is not None
    assert vector[-6:].tolist() == [832, 1216, 0, 0, 832, 1216]


def test_clip_skip_takes_an_earlier_layer(sd: Model, models: dict[str, Path]) -> None:
    from transformers import CLIPTextModel

    encoder = CLIPTextModel.from_pretrained(models["sd1"] / "text_encoder").eval()
    ids = sd.text.tokenize("a red cat", 1).ids
    with torch.no_grad():
        hidden = encoder(ids, output_hidden_states=True).hidden_states[-2]
        inner = getattr(encoder, "text_model", encoder)
        expected = inner.final_layer_norm(hidden)[0]
    got = sd.encode_prompts([PromptAsk("a red cat", clip_skip=1)])[0].context
    assert torch.allclose(got, expected, atol=1e-5)


def test_equal_texts_are_encoded_once_and_the_cache_is_bounded(sd: Model) -> None:
    passes: list[int] = []
    hook = sd.text.encoder.register_forward_pre_hook(
        lambda _module, args: passes.append(len(args[0]))
    )
    conditioner = Conditioner(budget_bytes=20_000)
    asks = [PromptAsk("cat"), PromptAsk(""), PromptAsk("cat"), PromptAsk("")]
    found = conditioner.encode(sd, (), asks)
    assert len(found) == 2
    assert passes == [2]
    conditioner.encode(sd, (), asks)
    assert passes == [2], "kept"
    for number in range(10):
        conditioner.encode(sd, (), [PromptAsk(f"cat {number}")])
    assert conditioner.num_bytes <= 20_000
    hook.remove()
