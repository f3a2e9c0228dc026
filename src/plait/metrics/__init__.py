"""How good the scores are, how sure that is, and what it comes to in words."""
