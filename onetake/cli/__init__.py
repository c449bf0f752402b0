"""The command line: `main` runs it, `commands/` has one command per file, `options/` and `output/` are shared."""
