"""The one training loop, what feeds it, evaluation, runs on disk, and the comparison of fusions over seeds."""
