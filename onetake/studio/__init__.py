"""The studio: a local web page to record, check, fix and clone, for people who do not use a terminal.

    browser ── loopback ── guard ── routes ──┬─ takes      recordings in a private folder
                                             ├─ preflight  check, plan, fix, join, prompt clips
                                             ├─ clones     the same cloner and ledger as `onetake clone`
                                             └─ speech     keep, say

Each action calls the function that its command calls. This package needs the extra `studio`; only the command
`onetake studio` imports it.
"""
