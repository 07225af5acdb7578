"""The page of the XOR lab (arXiv:2604.04655)."""
