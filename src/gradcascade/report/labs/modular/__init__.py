"""The page of the lab of modular addition (arXiv:2604.16431)."""
