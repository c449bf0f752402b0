"""Meters: each takes the blocks of one decode and answers with measurements.

A meter has ``add(block)``, called with float32 arrays of shape (frames, channels), and ``measurements()``.
"""
