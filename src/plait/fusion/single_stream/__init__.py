"""Single stream: self-attention over the tokens of both sides together."""
