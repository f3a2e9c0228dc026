"""Encoders of the transformers hub: a folder of a checkpoint becomes text or image tokens."""
