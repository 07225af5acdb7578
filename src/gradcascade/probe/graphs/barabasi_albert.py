"""The Barabasi-Albert graph: every node ties itself to m earlier ones, in proportion to their degrees."""

from gradcascade.probe.graphs.base import DEFAULT_GRAPH, GraphKind, compiled

WORDS = "grown by preferential attachment (Barabasi and Albert, 1999)"
GRAPH = GraphKind(DEFAULT_GRAPH, 0, WORDS, compiled("_barabasi_albert"), attachment=True)
