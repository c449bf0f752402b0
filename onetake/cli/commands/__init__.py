"""Commands: one per file."""
