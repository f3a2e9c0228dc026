"""Tasks: what is asked of a pair. One folder per task; nothing outside its folder knows a task's name."""
