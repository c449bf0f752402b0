"""The HTML report page: one self-contained file that opens from disk and loads nothing from the network.

Everything that comes from a recording, its name included, is inserted as escaped text (jinja2 autoescape). A
Content-Security-Policy allows only the page's own style and script, by their hashes.
"""
