"""Repositories of the Hugging Face hub, read without keeping what was read."""

from gradcascade.sources.trees.hub.client import Commit, HubClient, Repository

__all__ = ["Commit", "HubClient", "Repository"]
