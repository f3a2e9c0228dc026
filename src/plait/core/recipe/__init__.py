"""What recipes are checked against: types, ranges, options, earlier names; variants of a recipe, and its text."""
