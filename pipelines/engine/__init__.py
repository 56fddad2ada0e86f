"""One denoising batch for everybody: slots, planner, runner, `Engine.step()`."""
