"""Small experiments in which networks pass a learning transition while their fields are measured."""
