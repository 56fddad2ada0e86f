"""What differs between model families: conditioning, latent shape, forward, codec."""
