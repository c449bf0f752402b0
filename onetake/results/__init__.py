"""Results of large checks, in files that are complete or absent: a second run continues where the first one stopped."""
