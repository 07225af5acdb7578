"""Measuring while a model trains: what is recorded, and how it is gathered."""
