"""Cross-attention between words and regions."""
