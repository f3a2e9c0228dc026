"""What fusions share: the base classes, one-sided preparation, row sharing, aligned queries, input norms."""
