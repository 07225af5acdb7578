"""The ring with 5 % of its edges led elsewhere."""

from gradcascade.probe.graphs._small_world_kind import small_world

GRAPH = small_world(0.05, order=2)
