"""Analysis: decoded audio in, measurements, speech and levels out."""
