"""Settings: names, sources, values, how they are shown, and the bucket policy made from them."""
