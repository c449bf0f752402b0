"""Checks on a cluster: batches of recordings as tasks, a bounded number of them at a time, with retries."""
