from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from limner.pipelines.finish.foreign import from_webui_text, webui_text
from limner.pipelines.finish.parameters import Parameters, from_json, parameters_of
from limner.pipelines.finish.png import encode, encode_preview, read_parameters
from limner.pipelines.request import Lora, Request

FULL = Parameters(
    prompt='a (red:1.2) heart, 東京の猫 🐈 "quoted", Steps: many',
    negative_prompt="blurry, ugly\nsecond line: with, commas",
    seed=2**32 - 1,
    steps=25,
    guidance_scale=7.5,
    sampler="dpmpp_2m_karras",
    width=128,
    height=96,
    strength=0.65,
    clip_skip=1,
    loras=(Lora("ink", 0.8), Lora("snow")),
    model="house, the first",
    model_fingerprint="0123456789abcdef",
    task="image",
)


def picture(width: int = 128, height: int = 96) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def with_chunks(*extra: tuple[bytes, bytes]) -> bytes:
    file = BytesIO()
    picture(8, 8).save(file, "PNG")
    png = file.getvalue()
    head, rest = png[:33], png[33:]  # signature and IHDR
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in extra
    )
    return head + body + rest


def test_a_file_gives_back_its_pixels_and_every_parameter() -> None:
    png = encode(picture(), FULL, version="0.1")
    assert read_parameters(png) == FULL
    assert np.array_equal(np.asarray(Image.open(BytesIO(png))), np.asarray(picture()))


def test_equal_input_gives_equal_bytes() -> None:
    assert encode(picture(), FULL) == encode(picture(), FULL)


def test_the_foreign_text_is_what_the_web_ui_writes() -> None:
    plain = Parameters(
        "a red heart", "blue", seed=7, steps=20, guidance_scale=7.0, sampler="euler_a",
        width=512, height=768, model="house", model_fingerprint="abcdef0123456789",
    )  # fmt: skip
    file = Image.open(BytesIO(encode(picture(), plain, version="0.1")))
    assert file.info["parameters"] == (
        "a red heart\nNegative prompt: blue\n"
        "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 7, Size: 512x768, "
        "Model hash: abcdef0123, Model: house, Version: Limner 0.1"
    )


def test_plain_text_goes_into_text_and_other_scripts_into_international_text() -> None:
    plain = dict.fromkeys(kind for kind, _ in chunks(encode(picture(), Parameters("a heart"))))
    assert b"tEXt" in plain
    assert b"iTXt" not in plain
    kinds = dict(chunks(encode(picture(), Parameters("ein Herz, 心"))))
    assert "心".encode() in kinds[b"iTXt"]


def test_a_web_ui_file_is_read() -> None:
    text = (
        "masterpiece, <lora:ink:0.7> a cat <lora:wash>\nNegative prompt: bad\nvery bad\n"
        "Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 5.5, Seed: 1234, Size: 640x448, "
        'Model hash: 6ce0161689, Model: v1-5, Lora hashes: "ink: 12, b: 3", Clip skip: 2, '
        "Denoising strength: 0.4, Version: v1.9.4"
    )
    found = read_parameters(with_chunks((b"tEXt", b"parameters\0" + text.encode("latin-1"))))
    assert found == Parameters(
        "masterpiece,  a cat", "bad\nvery bad", seed=1234, steps=28, guidance_scale=5.5,
        sampler="dpmpp_2m_karras", width=640, height=448, strength=0.4, clip_skip=1,
        loras=(Lora("ink", 0.7), Lora("wash")), model="v1-5", model_fingerprint="6ce0161689",
        task="image", software="v1.9.4",
    )  # fmt: skip


def test_an_invoke_file_is_read() -> None:
    text = (
        '{"positive_prompt":"a fox","negative_prompt":"","seed":5,"steps":30,"cfg_scale":7.5,'
        '"scheduler":"dpmpp_2m_k","width":512,"height":512,"model":{"name":"dream"}}'
    )
    data = b"invokeai_metadata\0" + text.encode()
    found = read_parameters(with_chunks((b"tEXt", data)))
    assert found is not None
    assert (found.prompt, found.seed, found.sampler) == ("a fox", 5, "dpmpp_2m_karras")
    assert found.model == "dream"


@pytest.mark.parametrize(
    "png",
    [
        b"",
        b"not a picture",
        b"\x89PNG\r\n\x1a\n",
        encode(picture(8, 8), FULL)[:60],
        with_chunks(),
        with_chunks((b"zTXt", b"parameters\0\0" + zlib.compress(b"a" * 80_000_000))),
        with_chunks((b"tEXt", b"limner\0" + b"[" * 60_000)),
        with_chunks((b"tEXt", b'limner\0{"prompt":{"a":1}}')),
        with_chunks((b"tEXt", b'limner\0{"prompt":"' + b"1" * 50)),
    ],
    ids=["nothing", "text", "head", "cut", "bare", "bomb", "nested", "wrong type", "open"],
)
def test_what_cannot_be_read_says_nothing(png: bytes) -> None:
    assert read_parameters(png) is None


def test_absurd_values_are_left_out_and_the_rest_is_kept() -> None:
    text = (
        '{"prompt":"x","seed":-1,"steps":1e9,"guidance_scale":NaN,"width":true,'
        '"strength":"2","loras":[1,{"name":"a","weight":"inf"},{"name":"b"},{"name":"c","weight":null}]}'
    )
    found = read_parameters(with_chunks((b"tEXt", b"limner\0" + text.encode())))
    assert found == Parameters("x", loras=(Lora("b"), Lora("c")), software="")


@settings(max_examples=150, deadline=500)
@given(st.text(max_size=300))
def test_any_text_in_a_file_is_read_in_good_time_or_not_at_all(text: str) -> None:
    for body in (text, text * 200, f"{text}\nNegative prompt: {text}\nSteps: 1, {text}: {text}"):
        from_webui_text(body[:65_536])
        from_json(body)


@pytest.mark.parametrize("unit", [" ", "a:", '"\\', "a: ", ": ,", '"', 'a:"', "<lora:a", "\n"])
def test_reading_a_hostile_text_is_linear(unit: str) -> None:
    from time import process_time

    before = process_time()
    from_webui_text((unit * 65_536)[:65_536])
    assert process_time() - before < 1.0


words = (
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40)
    .map(str.strip)
    .filter(lambda text: bool(text) and "<lora" not in text)
)


@given(
    prompt=words,
    negative=words,
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(1, 150),
    sampler=st.sampled_from(["ddim", "euler_a", "dpmpp_2m_karras", "dpmpp_singlestep", "tcd"]),
    model=words,
)
def test_the_foreign_text_survives_a_journey(
    prompt: str, negative: str, seed: int, steps: int, sampler: str, model: str
) -> None:
    made = Parameters(
        prompt, negative, seed=seed, steps=steps, guidance_scale=7.5, sampler=sampler,
        width=64, height=32, model=model, software="Limner",
    )  # fmt: skip
    if prompt.startswith("Negative prompt:"):
        return
    assert from_webui_text(webui_text(made)) == made


@given(st.text(max_size=200), st.text(max_size=200))
def test_every_prompt_survives_our_own_text(prompt: str, negative: str) -> None:
    found = read_parameters(encode(picture(8, 8), Parameters(prompt, negative)))
    assert found is not None
    assert (found.prompt, found.negative_prompt) == (prompt, negative)


def test_a_lone_surrogate_and_a_nul_do_not_stop_a_picture() -> None:
    found = read_parameters(encode(picture(8, 8), Parameters("a\ud800b\0c")))
    assert found is not None
    assert found.prompt == "a\ud800b\0c"


def test_a_request_with_its_defaults_becomes_its_parameters() -> None:
    request = Request("a fox", seed=3, steps=9, guidance_scale=2.0, sampler="ddim",
                      width=64, height=64, strength=0.7)  # fmt: skip
    made = parameters_of(request, 5, "house", "ff")
    assert (made.seed, made.task, made.strength) == (5, "text", None)
    over = Request("x", init_image=picture(8, 8), mask_image=picture(8, 8), strength=0.7)
    assert parameters_of(over, 5, "house", "ff").task == "inpaint"


def test_a_preview_is_a_small_webp() -> None:
    preview = encode_preview(picture().convert("RGBA"))
    assert Image.open(BytesIO(preview)).format == "WEBP"
