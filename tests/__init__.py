"""The tests: a mirror of `src/plait`, and house rules over the tree itself."""
