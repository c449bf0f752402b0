"""Prompt clips: find and cut them, transcribe them, and compare their text."""
