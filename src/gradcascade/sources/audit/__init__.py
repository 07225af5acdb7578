"""The audit: looks for corrupted snapshots before anything is measured."""

from gradcascade.sources.audit.family_audit import Audit, audit_family, audit_listing
from gradcascade.sources.audit.findings import FAULT, NOTE, WARNING, Finding
from gradcascade.sources.audit.listing import Listing
from gradcascade.sources.audit.quarantine_list import Entry, Quarantine, read_quarantine

__all__ = [
    "FAULT",
    "NOTE",
    "WARNING",
    "Audit",
    "Entry",
    "Finding",
    "Listing",
    "Quarantine",
    "audit_family",
    "audit_listing",
    "read_quarantine",
]
