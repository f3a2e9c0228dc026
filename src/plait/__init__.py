"""Plait: fuse text and images with cross-attention."""
