"""The ring with 20 % of its edges led elsewhere."""

from gradcascade.probe.graphs._small_world_kind import small_world

GRAPH = small_world(0.2, order=3)
