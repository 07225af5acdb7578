"""Where fields come from: files and folders of snapshots."""

from gradcascade.sources.base import SnapshotRef, Source
from gradcascade.sources.folder import FolderSource, discover
from gradcascade.sources.tensors import flatten, open_tensors, read_field, read_tensors

__all__ = [
    "FolderSource",
    "SnapshotRef",
    "Source",
    "discover",
    "flatten",
    "open_tensors",
    "read_field",
    "read_tensors",
]
