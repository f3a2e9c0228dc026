"""The cache of frozen encoders' tokens on disk."""
