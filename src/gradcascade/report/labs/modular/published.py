"""What arXiv:2604.16431 gives, as far as it is known here; its full text was not at hand."""

from gradcascade.scaling.phases import AFTER, BEFORE

PAPER = "arXiv:2604.16431"
D = {BEFORE: 1.12, AFTER: 0.92}
"""D of the cascade size before and after the transition of modular addition; about."""
EARLIEST, LATEST = 200, 100
"""Steps before the transition at which grokking runs begin to differ from others in D (abstract)."""
