"""Fixes: the smallest change that makes a recording ready."""
