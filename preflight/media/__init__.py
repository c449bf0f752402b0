"""Media files: their headers and tags, and decoding to blocks of float32 samples."""
