"""Input and output of the application: files that are written atomically."""
