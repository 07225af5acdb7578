"""Ways to carry out the measurements of a study, one module each."""

from gradcascade.registry import Registry
from gradcascade.study.executors.base import Execute, Executor, Finished

EXECUTORS = Registry("gradcascade.study.executors", Executor, "executor")

__all__ = ["EXECUTORS", "Execute", "Executor", "Finished"]
