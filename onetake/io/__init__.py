"""Files and processes: atomic writes, input paths, scratch folders, locks, permissions, signals, child processes."""
