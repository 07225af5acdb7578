"""Randomised fields (nulls) and statistics of a field."""
