"""Two towers: each side becomes vectors alone, and the vectors are compared."""
