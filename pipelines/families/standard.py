"""The standard models' configurations and CLIP's vocabulary, which single files come without.

They lie in `configs/`; CLIP's vocabulary follows from its merges, so only those are shipped.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

CONFIGS: Final = Path(__file__).parent / "configs"


def copy_configuration(name: str, folder: Path) -> Path:
    """A whole model's folder in diffusers layout, but for the weights."""
    shutil.copytree(CONFIGS / name, folder, dirs_exist_ok=True)
    merges = (CONFIGS / "clip" / "merges.txt").read_text("utf-8")
    vocabulary = json.dumps(clip_vocabulary(merges), ensure_ascii=False)
    for tokenizer in folder.glob("tokenizer*"):
        (tokenizer / "merges.txt").write_text(merges, "utf-8")
        (tokenizer / "vocab.json").write_text(vocabulary, "utf-8")
    return folder


def clip_vocabulary(merges: str) -> dict[str, int]:
    """Tokens by number: bytes, bytes that end a word, the merges, the two brackets.

    Source: https://github.com/openai/CLIP, simple_tokenizer.py.
    """
    letters = byte_letters()
    pairs = merges.strip().split("\n")[1:]
    words = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *("".join(pair.split()) for pair in pairs),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    return {word: number for number, word in enumerate(words)}


def byte_letters() -> list[str]:
    """A printable letter for each byte, in CLIP's order."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), 256)]
    return [*map(chr, plain), *(chr(256 + extra) for extra in range(256 - len(plain)))]
