"""Clones: from a recording on disk to a voice."""
