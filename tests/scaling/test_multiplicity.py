from __future__ import annotations

import numpy as np
from statsmodels.stats.multitest import multipletests

from gradcascade.scaling.multiplicity import holm


def test_holm_is_that_of_statsmodels_and_passes_over_what_was_not_asked() -> None:
    p = np.random.default_rng(1).random(20) ** 3
    np.testing.assert_allclose(holm(p), np.asarray(multipletests(p, method="holm")[1], dtype=float))
    gaps = np.insert(p, 3, np.nan)
    np.testing.assert_allclose(np.delete(holm(gaps), 3), holm(p))
    assert np.isnan(holm(gaps)[3])
