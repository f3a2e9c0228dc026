"""Gated fusions: one side scales the channels of the other."""
