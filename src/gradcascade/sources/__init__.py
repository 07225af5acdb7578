"""Where fields come from: files and folders of snapshots."""

from gradcascade.sources.base import SnapshotRef, Source
from gradcascade.sources.tensors import flatten, open_tensors, read_field, read_tensors

__all__ = [
    # what a study measures
    "SnapshotRef",
    "Source",
    # single files
    "flatten",
    "open_tensors",
    "read_field",
    "read_tensors",
]
