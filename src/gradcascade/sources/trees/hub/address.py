"""Where one run lies on the hub: a repository, a branch, a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gradcascade.errors import InputError
from gradcascade.sources.stored import shown

_ADDRESS = re.compile(r"(?P<name>[^@:]+)(?:@(?P<revision>[^@:]+))?(?::(?P<folder>[^@:]+))?")


@dataclass(frozen=True)
class Address:
    """One run on the hub: ``owner/name``, a branch, and a folder that is empty for the repository's root."""

    name: str
    revision: str = "main"
    folder: str = ""

    @classmethod
    def of(cls, text: str) -> Address:
        """Read ``owner/name``, ``owner/name@branch`` or ``owner/name@branch:folder``."""
        match = _ADDRESS.fullmatch(text)
        if not match:
            raise InputError(
                f"{shown(text)} is not a repository; write owner/name, owner/name@branch or @branch:folder"
            )
        return cls(match["name"], match["revision"] or "main", (match["folder"] or "").strip("/"))
