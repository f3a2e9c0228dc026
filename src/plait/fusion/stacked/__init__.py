"""Stacked cross-attention and late interaction: each query against what it finds on the other side."""
