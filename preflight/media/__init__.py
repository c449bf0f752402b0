"""Media: containers, headers and decoding."""
