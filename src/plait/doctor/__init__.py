"""What is wrong with a data set, what that does to a result, and the cure: read, look at every photo, check, clean."""
