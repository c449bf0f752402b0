"""Who speaks: embeddings of voices, and whether a take holds more than one."""
