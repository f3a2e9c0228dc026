"""Building blocks that no recipe names: attention, blocks, positions, pooling, kernels that score all pairs."""
