"""Which device and which precision: names from the configuration to torch's, or a clear refusal."""

from __future__ import annotations

import torch

from ..errors import InvalidRequestError

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str) -> torch.device:
    """ "auto" takes a GPU where there is one. Raises `InvalidRequestError`."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InvalidRequestError(
            f"There is no device called {name!r}; use cpu, cuda, cuda:0 or auto."
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InvalidRequestError(f"Torch sees no GPU here, so {name!r} can't be used; use cpu.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InvalidRequestError(f"Torch sees no Apple GPU, so {name!r} can't be used; use cpu.")
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """ "auto" is bfloat16 where the device computes in it. Raises `InvalidRequestError`."""
    if name == "auto":
        return torch.bfloat16 if _has_bfloat16(device) else torch.float32
    dtype = _DTYPES.get(name)
    if dtype is None:
        raise InvalidRequestError(
            f"There is no precision called {name!r}; use float32, bfloat16, float16 or auto."
        )
    if device.type == "cpu" and dtype is torch.float16:
        raise InvalidRequestError("float16 is for GPUs; use bfloat16 or float32 on a CPU.")
    return dtype


def _has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies in it natively; emulated it is slower than float32.

    Asked of the processor, not timed: a close race would paint other pixels from one start to the
    next.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(ask() for name in asks if (ask := getattr(torch.cpu, name, None)) is not None)
