"""A study: the plan, the measurements, the report."""
