"""Prompt clips: find them, transcribe them, compare their text."""
