"""Scores of captions against references, from words: BLEU, ROUGE-L, CIDEr-D, and how much captions differ."""
