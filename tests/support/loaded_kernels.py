"""Kernels that a server of forks loads once for all its processes: those for one core, which start no threads."""

import warnings

from gradcascade.cli.warmup import warm_up
from gradcascade.probe import parallel
from gradcascade.probe.relaxation import Probe

parallel._STATE.alone = True
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    warm_up(Probe(threads=1), "float32")
