"""One file a task, each a function that reads from top to bottom."""
