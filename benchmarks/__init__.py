"""What Plait measures against other ways of doing the same, and the numbers seen."""
