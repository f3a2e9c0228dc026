"""Charts: from results to SVG."""
