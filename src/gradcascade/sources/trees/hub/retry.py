"""How long to wait before asking the hub again, and when to give up."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_RESET = re.compile(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,6})")


@dataclass(frozen=True)
class RetryPolicy:
    """Waits between attempts: they double, unless the hub names one."""

    attempts: int = 6  # in a row that may fail without a single byte of progress
    total: int = 50  # attempts in all for one request, progress or not
    first: float = 1.0  # seconds of the first wait
    longest: float = 30.0  # seconds of the longest wait
    limit: float = 900.0  # longest wait in seconds that is obeyed when the hub names it; its windows have 300
    sleep: Callable[[float], None] = time.sleep

    def wait(self, failures: int, named: float | None = None) -> None:
        """Wait after the given number of failures in a row (at least 1), or as long as the hub named."""
        self.sleep(named if named is not None else min(self.longest, self.first * 2 ** (failures - 1)))


def named_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait; None if it does not.

    From ``Retry-After`` (seconds or a date, RFC 9110 section 10.2.3) or from an exhausted ``RateLimit``
    (draft-ietf-httpapi-ratelimit-headers); the names of the headers are in lower case.
    """
    text = (headers.get("retry-after") or "").strip()
    if text.isdecimal():
        return float(text)
    if text:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, (date - datetime.now(UTC)).total_seconds())
    match = _RESET.search(headers.get("ratelimit") or "")
    return float(match[1]) if match else None
