"""Renderers: what a person reads, and what a machine reads."""
