"""The denoising batch: slots, planner, runner, and `Engine.step()` over them."""
