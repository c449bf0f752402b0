"""Meters: each computes measurements from blocks of audio."""
