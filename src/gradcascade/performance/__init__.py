"""External performance numbers (metrics)."""
