"""Finite-size gradient transport in language-model pretraining (arXiv:2605.02968)."""

from gradcascade.errors import InputError

__all__ = ["InputError"]
__version__ = "0.1.0"
