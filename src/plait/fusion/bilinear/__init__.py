"""Bilinear fusions: products of both sides' entries."""
