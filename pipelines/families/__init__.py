"""What differs between model families: conditioning, latent shape, forward, codec."""

from .quiet import hush

hush()
