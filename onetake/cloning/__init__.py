"""From a recording on disk to a voice: the order, the look into the ledger, check and mend, upload, pay, clean up.

`pipeline` clones one recording, `series` many; `passage` is the way of a single one once it is claimed.
"""
