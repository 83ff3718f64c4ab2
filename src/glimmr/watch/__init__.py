"""Look at every part, change none."""
