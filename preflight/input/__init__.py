"""Input: the types of recordings, and how they are opened safely."""
