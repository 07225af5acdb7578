"""Networks of two inputs that learn XOR, measured through their learning transition (arXiv:2604.04655)."""
