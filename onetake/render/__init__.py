"""Renderers: reports, outcomes and voices as text, JSON, CSV, JUnit XML, GitHub annotations and HTML."""
