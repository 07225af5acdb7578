"""From a field and a graph to a cascade."""
