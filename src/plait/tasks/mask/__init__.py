"""Masks: the region of an image that a phrase refers to."""
