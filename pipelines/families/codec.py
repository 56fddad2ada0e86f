"""Between pictures and latents: a VAE, batched. When it runs is the engine's business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Codec:
    """One checkpoint's VAE.

    A batch of one takes other kernels than two, three or four, which are bit-equal: on a CPU its
    outputs differ by 1e-5 of a grey level in float32, by one or two in bfloat16 (measured).
    """

    def __init__(self, vae: Any) -> None:
        self.vae = vae
        if vae.device.type == "cpu":
            # Measured in bfloat16: a lone picture in 0.7 of the time, two and more in 0.95.
            vae.to(memory_format=torch.channels_last)
        self.factor: int = 2 ** (len(vae.config.block_out_channels) - 1)
        self.channels: int = vae.config.latent_channels
        self._scaling: float = vae.config.scaling_factor
        self._shift: float = getattr(vae.config, "shift_factor", None) or 0.0
        self._pictures = VaeImageProcessor(vae_scale_factor=self.factor)
        self._masks = VaeImageProcessor(
            vae_scale_factor=self.factor,
            do_normalize=False,
            do_binarize=True,
            do_convert_grayscale=True,
        )

    def pixels(self, picture: Image.Image, width: int, height: int) -> Tensor:
        """(1, 3, height, width) float32 in -1 to 1, resized as diffusers does."""
        return self._pictures.preprocess(_flatten(picture), height=height, width=width).float()

    def mask(self, picture: Image.Image, width: int, height: int) -> Tensor:
        """(1, 1, height, width): 1 is painted, 0 is kept."""
        return self._masks.preprocess(_flatten(picture).convert("L"), height=height, width=width)

    def shrink_mask(self, mask: Tensor) -> Tensor:
        """(1, 1, height / factor, width / factor)."""
        size = (mask.shape[-2] // self.factor, mask.shape[-1] // self.factor)
        return torch.nn.functional.interpolate(mask, size=size)

    @torch.inference_mode()
    def encode(
        self, pixels: Sequence[Tensor], *, is_alone: bool = False, is_tiled: bool = False
    ) -> list[tuple[Tensor, Tensor]]:
        """Each picture's posterior: mean and deviation, (1, channels, h, w) float32 on the CPU.

        One is encoded as two, so that its run begins as it does in company. Short of memory,
        `is_alone` really takes one picture at a time, `is_tiled` a part of it.
        """
        is_doubled = len(pixels) == 1 and not is_alone
        batch = torch.cat([*pixels, pixels[-1]] if is_doubled else list(pixels))
        batch = batch.to(self.vae.device, self.vae.dtype)
        if is_tiled:
            self.vae.enable_tiling()
        try:
            posterior = self.vae.encode(batch).latent_dist
        finally:
            if is_tiled:
                self.vae.disable_tiling()
        mean, deviation = posterior.mean.float().cpu(), posterior.std.float().cpu()
        return [(mean[i : i + 1], deviation[i : i + 1]) for i in range(len(pixels))]

    def sample(self, posterior: tuple[Tensor, Tensor], generator: torch.Generator) -> Tensor:
        """Scaled latents, drawn as diffusers draws them."""
        mean, deviation = posterior
        drawn = mean + deviation * torch.randn(mean.shape, generator=generator)
        return (drawn - self._shift) * self._scaling

    @torch.inference_mode()
    def decode(self, latents: Tensor, *, at_least: int = 1, is_tiled: bool = False) -> Tensor:
        """(n, channels, h, w) float32 -> (n, height, width, 3) uint8 on the device; NaN becomes 0.

        Fewer than `at_least` are padded: in batches of one size a picture's bytes do not depend on
        its companions. Short of memory, `is_tiled` takes a part of a picture at a time.
        """
        count = len(latents)
        if count < at_least:
            latents = torch.cat([latents, latents[-1:].expand(at_least - count, -1, -1, -1)])
        unscaled = (latents / self._scaling + self._shift).to(self.vae.dtype)
        if is_tiled:
            self.vae.enable_tiling()
        try:
            decoded = self.vae.decode(unscaled, return_dict=False)[0][:count]
        finally:
            if is_tiled:
                self.vae.disable_tiling()
        pixels = (decoded.float() * 0.5 + 0.5).nan_to_num(0.0).clamp(0, 1)
        return (pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def to_picture(pixels: Tensor) -> Image.Image:
    """(height, width, 3) uint8 on the CPU."""
    return Image.fromarray(pixels.numpy(), "RGB")


def _flatten(picture: Image.Image) -> Image.Image:
    """Transparency over white, palettes to colours: what a viewer would show."""
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")
