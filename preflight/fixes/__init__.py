"""Fix recordings: the smallest change that makes them ready."""
