"""Where a fusion looked: maps from words to the cells of a photo, and pictures of them."""
