"""Text encoders trained from scratch on words."""
