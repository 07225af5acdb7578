"""What the figures are drawn with: a canvas, marks, axes, styles, and what every figure has."""
