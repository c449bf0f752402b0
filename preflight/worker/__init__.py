"""Worker processes: recordings are decoded and measured in a process of their own."""
