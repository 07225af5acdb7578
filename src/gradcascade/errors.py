"""The errors a user can cause, told apart from defects of ours."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input or wrong usage: one sentence that says what is wrong, where, and what to do.

    The command line prints the message and exits with code 2; anything else that escapes is a defect.
    """


class SourceLostError(InputError):
    """A whole source cannot be reached, so that reading another snapshot of it would fail as well."""


class RepositoryRefusedError(SourceLostError):
    """One repository does not exist or needs other rights; others of the same hub can be read."""


class MissingError(InputError):
    """A snapshot, file or revision that was asked for is not there."""
