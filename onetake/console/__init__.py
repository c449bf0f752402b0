"""Console output: results on standard output; steps, progress and warnings on standard error."""
