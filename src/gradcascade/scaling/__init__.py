"""Exponents, compressibility, windows and null differences of a table of cascades."""
