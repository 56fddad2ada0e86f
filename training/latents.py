"""Stage 4: what the denoiser reads, computed once: latents of pictures, hidden states of captions.

Also finishes the autoencoder: the latents' mean and deviation are folded into its two 1x1
convolutions, so that what ships has latents of mean 0 and deviation 1 in every channel.
"""

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm
from transformers import CLIPTextModel, CLIPTokenizer

from .autoencoder import to_tensor
from .caption_bank import write_bank
from .emphasis import show_weights
from .manifest import Row, on_background, read_manifest
from .workspace import Workspace, stage_parser


@torch.no_grad()
def encode_pictures(
    model: AutoencoderKL,
    pictures: np.ndarray,
    rows: np.ndarray,
    accelerator: Accelerator,
    *,
    mirrored: bool = False,
) -> Tensor:
    """Posterior means, ``(rows, 4, 16, 16)`` float32."""
    means = []
    for start in tqdm(range(0, len(rows), 16), desc="pictures", mininterval=10):
        flat = np.stack([on_background(np.asarray(pictures[i])) for i in rows[start : start + 16]])
        flat = flat[:, :, ::-1] if mirrored else flat
        target = to_tensor(flat).to(accelerator.device, memory_format=torch.channels_last)
        with accelerator.autocast():
            means.append(model.encode(target).latent_dist.mode().float().cpu())
    return torch.cat(means)


@torch.no_grad()
def fold_normalisation(model: AutoencoderKL, mean: Tensor, deviation: Tensor) -> None:
    """Make the autoencoder's latents ``(z - mean) / deviation`` without changing what it paints."""
    channels = len(mean)
    quant, post = model.quant_conv, model.post_quant_conv
    post.bias += torch.einsum("oc,c->o", post.weight[:, :, 0, 0], mean)
    post.weight *= deviation.view(1, -1, 1, 1)
    quant.bias[:channels] = (quant.bias[:channels] - mean) / deviation
    quant.weight[:channels] /= deviation.view(-1, 1, 1, 1)
    quant.bias[channels:] -= 2 * deviation.log()


@torch.no_grad()
def encode_captions(
    texts: list[str], model: CLIPTextModel, tokenizer: CLIPTokenizer, accelerator: Accelerator
) -> Tensor:
    """Hidden states as the pipeline computes them, ``(texts, 77, 256)`` float16."""
    result = torch.empty(
        len(texts), tokenizer.model_max_length, model.config.hidden_size, dtype=torch.float16
    )
    for start in tqdm(range(0, len(texts), 64), desc="captions", mininterval=10):
        tokens = tokenizer(
            texts[start : start + 64],
            padding="max_length",
            truncation=True,
            max_length=tokenizer.model_max_length,
            return_tensors="pt",
        )
        with accelerator.autocast():
            hidden = model(tokens.input_ids.to(accelerator.device)).last_hidden_state
        result[start : start + 64] = hidden.half().cpu()
    return result


def prepare_captions(
    workspace: Workspace, rows: list[Row], shown: np.ndarray, seed: int, accelerator: Accelerator
) -> None:
    """Encode every caption that a shown picture may have; the empty one comes first."""
    tokenizer = CLIPTokenizer.from_pretrained(workspace.run("text_encoder") / "model" / "tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(workspace.text_encoder).to(accelerator.device)
    bank = write_bank(rows, seed)
    used = sorted({caption for row in shown for caption in bank.of_row[row]})
    place = {caption: i for i, caption in enumerate(used, start=1)}
    texts = ["", *(bank.texts[caption] for caption in used)]
    hidden = encode_captions(texts, text_encoder, tokenizer, accelerator)
    captions = torch.tensor([[place[caption] for caption in bank.of_row[row]] for row in shown])
    save_file({"hidden": hidden, "captions": captions}, workspace.captions)
    print(f"{len(used)} captions")


def prepare_pictures(
    workspace: Workspace,
    rows: list[Row],
    shown: np.ndarray,
    weights: np.ndarray,
    accelerator: Accelerator,
    *,
    flips: bool,
) -> None:
    """Encode every shown picture, and write the autoencoder whose latents have deviation 1."""
    pictures = np.load(workspace.pictures, mmap_mode="r")
    vae = AutoencoderKL.from_pretrained(workspace.run("autoencoder") / "model")
    vae = vae.to(accelerator.device)
    latents = encode_pictures(vae, pictures, shown, accelerator)
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    latents = (latents - mean.view(1, -1, 1, 1)) / deviation.view(1, -1, 1, 1)
    fold_normalisation(vae, mean.to(accelerator.device), deviation.to(accelerator.device))
    vae.register_to_config(scaling_factor=round(float(1.0 / latents.std()), 4))
    vae.save_pretrained(workspace.run("latents") / "autoencoder")
    said = torch.arange(len(shown))  # whose captions each latent has
    shares = torch.from_numpy(weights[shown])
    if flips:
        turned = torch.tensor([i for i, row in enumerate(shown) if rows[row].flips])
        # The folded model's latents are already those of mean 0 and deviation 1.
        mirrored = encode_pictures(vae, pictures, shown[turned.numpy()], accelerator, mirrored=True)
        shares[turned] /= 2
        latents = torch.cat([latents, mirrored])
        said, shares = torch.cat([said, turned]), torch.cat([shares, shares[turned]])
    kept = {"latents": latents.contiguous(), "weights": shares, "said": said}
    save_file(kept, workspace.latents)
    print(f"{len(latents)} pictures; latents had deviation {deviation.tolist()}")


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, minutes=0)
    parser.add_argument(
        "--emphasis", type=float, default=16.0, help="how much more common things are shown"
    )
    parser.add_argument("--parts", default="captions,pictures")
    parser.add_argument(
        "--flips", action="store_true", help="mirror images too, of what holds no text"
    )
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    workspace = Workspace(options.root)
    accelerator = Accelerator(mixed_precision="bf16", cpu=not torch.cuda.is_available())
    rows = read_manifest(workspace)
    weights = show_weights(rows, options.emphasis)
    shown = np.flatnonzero(weights)
    parts = options.parts.split(",")
    if "captions" in parts:
        prepare_captions(workspace, rows, shown, options.seed, accelerator)
    if "pictures" in parts:
        prepare_pictures(workspace, rows, shown, weights, accelerator, flips=options.flips)


if __name__ == "__main__":
    main()
