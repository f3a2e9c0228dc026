"""What fusions share: one-sided preparation, row sharing, aligned queries, input norms."""
