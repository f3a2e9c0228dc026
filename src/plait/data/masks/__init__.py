"""Masks as data: which pixels are meant, read from files, brought into the encoder's frame and back."""
