"""Display of reports: as text, and as HTML in notebooks."""
