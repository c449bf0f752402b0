"""Repair: the smallest change that makes a take ready.

Measuring, planning, applying and measuring again are apart: `planning` decides and touches nothing,
`rewrapping` and `encoding` write, `fixing` puts them together and verifies the result before it gets its name.
"""
