"""The meters, one per file: each computes measurements from chunks of audio."""
