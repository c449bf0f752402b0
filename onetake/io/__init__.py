"""Files, locks and signals: atomic writes, input paths, standard input, scratch folders, permissions, signals, child processes."""
