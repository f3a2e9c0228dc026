"""Matching: how well an image and a text belong together."""
