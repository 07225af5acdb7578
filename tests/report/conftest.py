from __future__ import annotations

import pytest

from gradcascade.report.data import ReportData

from .cascades import perplexities, study_cascades


@pytest.fixture(scope="session")
def data() -> ReportData:
    """Four scales, ten steps, both fields, three nulls, a perplexity."""
    cascades = study_cascades()
    return ReportData.from_tables(
        cascades,
        perplexities(cascades),
        {"alpha": 0.3, "graph": "barabasi-albert", "graph_seed": 42},
        {"versions": {"gradcascade": "0.1.0"}, "seeds": ["42 + step"]},
        'families = ["nano"]\n',
    )
