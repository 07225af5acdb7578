"""Finite-size gradient transport in language-model pretraining (arXiv:2605.02968).

>>> import gradcascade as gc, numpy as np
>>> cascade = gc.Probe()(np.random.default_rng(1).standard_normal((100, 100)))
>>> cascade.n
10000

Names are imported when they are first used, so that ``import gradcascade`` and ``gradcascade --help`` are quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradcascade.errors import InputError

if TYPE_CHECKING:
    from gradcascade.fields.drawing import null
    from gradcascade.inference import infer
    from gradcascade.live.full import full_gradients, full_parameters, full_states
    from gradcascade.live.measurement import Measurement
    from gradcascade.live.monitor import Monitor
    from gradcascade.live.recorder import Recorder
    from gradcascade.memory import release
    from gradcascade.probe.cascade import Cascade
    from gradcascade.probe.graph import Graph, GraphSpec, load_graph
    from gradcascade.probe.relaxation import Probe
    from gradcascade.report.access import figures
    from gradcascade.scaling.channels import channels
    from gradcascade.scaling.decomposition import decompose
    from gradcascade.scaling.exponents import closure_error, fit_exponents
    from gradcascade.scaling.health import healthy, run_health
    from gradcascade.scaling.windows import default_window, summarise
    from gradcascade.study.plan import Plan, read_plan
    from gradcascade.study.runner import run
    from gradcascade.study.sensitivity import robustness
    from gradcascade.study.study import Study
    from gradcascade.tensor_names import canonical_order

__version__ = "0.1.0"

__all__ = [
    # one field
    "Cascade",
    # graphs
    "Graph",
    "GraphSpec",
    # errors
    "InputError",
    # one's own training loop
    "Measurement",
    "Monitor",
    # studies
    "Plan",
    "Probe",
    "Recorder",
    "Study",
    "canonical_order",
    # exponents
    "channels",
    "closure_error",
    "decompose",
    "default_window",
    "figures",
    "fit_exponents",
    "full_gradients",
    "full_parameters",
    "full_states",
    "healthy",
    "infer",
    "load_graph",
    "null",
    "read_plan",
    "release",
    "robustness",
    "run",
    "run_health",
    "summarise",
]

_HOME = {
    "Cascade": "probe.cascade",
    "Probe": "probe.relaxation",
    "null": "fields.drawing",
    "Graph": "probe.graph",
    "GraphSpec": "probe.graph",
    "load_graph": "probe.graph",
    "Plan": "study.plan",
    "read_plan": "study.plan",
    "Study": "study.study",
    "run": "study.runner",
    "robustness": "study.sensitivity",
    "Measurement": "live.measurement",
    "Monitor": "live.monitor",
    "Recorder": "live.recorder",
    "full_gradients": "live.full",
    "full_parameters": "live.full",
    "full_states": "live.full",
    "channels": "scaling.channels",
    "closure_error": "scaling.exponents",
    "fit_exponents": "scaling.exponents",
    "decompose": "scaling.decomposition",
    "default_window": "scaling.windows",
    "summarise": "scaling.windows",
    "infer": "inference",
    "run_health": "scaling.health",
    "healthy": "scaling.health",
    "release": "memory",
    "canonical_order": "tensor_names",
    "figures": "report.access",
}


def __getattr__(name: str) -> Any:
    if name == "live":  # gc.live.huggingface.TransportCallback
        return import_module("gradcascade.live")
    if name not in _HOME:
        raise AttributeError(f"module 'gradcascade' has no attribute {name!r}")
    return getattr(import_module(f"gradcascade.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
