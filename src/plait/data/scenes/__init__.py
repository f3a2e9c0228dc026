"""Generated scenes: images of a few shapes whose captions need binding."""
