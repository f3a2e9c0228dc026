"""The one training loop: what feeds it, its optimiser, its checkpoints and events, and the device it runs on."""
