"""The command line: `main` runs it, `commands/` has one command per file, `options.py` and `output/` are shared."""
