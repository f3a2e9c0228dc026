"""What a fusion attended to: maps from words to the cells of an image, drawn over the image."""
