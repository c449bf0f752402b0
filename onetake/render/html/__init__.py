"""One page about the recordings that were checked: a file that needs nothing else, opens from disk, and loads nothing.

Everything that a recording brings along, its name first of all, is text here and nothing else (`markup`). The page has
a Content-Security-Policy that lets its own style and script pass by their hashes, and nothing from anywhere else.
"""
