"""Did it learn, and from what? Noise, swaps, gradients, ablations and baselines, and a verdict with the cure."""
