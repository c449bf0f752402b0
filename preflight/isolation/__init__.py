"""Decoding in a process of its own: a decoder that crashes, hangs or swallows memory costs one finding.

The process is started with the first recording, and kept for the next. It reads jobs from its standard input and ends
when that ends; nothing it sends is trusted further than its type. Of one recording it decodes and listens for speech,
and the process that asks measures, so that two cores have the same to do; of many at a time it does everything.
"""
