"""A run on disk: fitted, recorded, claimed, resumed, opened, packaged."""
