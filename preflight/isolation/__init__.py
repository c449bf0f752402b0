"""Decoding in a process of its own: a decoder that crashes, hangs or swallows memory costs one finding.

The process is started with the first recording, and kept for the next. It reads jobs from its standard input and ends
when that ends; nothing it sends is trusted further than its type.
"""
