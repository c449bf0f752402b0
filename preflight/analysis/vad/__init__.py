"""Voice activity detection: where there is speech."""
