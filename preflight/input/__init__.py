"""Input: what a recording may be, and how it is opened safely."""
