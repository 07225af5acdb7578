"""Published families, measured from the Hugging Face hub without keeping what was measured."""

from gradcascade.sources.hub.client import Commit, HubClient, RemoteFile, Repository

__all__ = ["Commit", "HubClient", "RemoteFile", "Repository"]
