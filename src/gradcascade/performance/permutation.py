"""Tests of correlation between two series along training, which are each correlated with themselves.

One series is shifted against the other, the end moved to the front, forwards and backwards in time. Each of the 2 T
orders keeps the series' own correlation and breaks its tie to the other; the p value is the share of the orders with
a correlation at least as strong. Reversal doubles the orders, so that 5 % can be met with 60 steps; it assumes that
the series look alike in both directions of time. Trends break the test, as they break every other of levels: two
series that both change with training, for whatever reason, are strongly correlated. So what counts is
:func:`changes_test`.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIN_MATCHED = 10
"""Fewest steps of a test: 2 T orders must be able to give a p value of 5 %."""

_EQUAL = 1e-10
"""Correlations this close count as equally strong; they come from a Fourier transform."""


def shift_test(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Pearson's r and two-sided p (multiples of 1 / (2 steps)) of pairs of series; NaN if constant or too short."""
    pairs, steps = x.shape
    unit_x, unit_y = standardised(x), standardised(y)
    r = np.einsum("pt,pt->p", unit_x, unit_y)
    if steps < MIN_MATCHED or not pairs:
        return r, np.full(pairs, np.nan)
    spectrum_x, spectrum_y = np.fft.rfft(unit_x), np.fft.rfft(unit_y)
    forwards = np.fft.irfft(spectrum_x * spectrum_y.conj(), steps)
    backwards = np.fft.irfft(spectrum_x * spectrum_y, steps)
    strong = np.abs(np.concatenate([forwards, backwards], axis=1)) >= np.abs(r)[:, None] - _EQUAL
    return r, np.where(np.isfinite(r), strong.mean(axis=1), np.nan)


def smooth_trend(steps: int) -> Floats:
    """Shapes a smooth trend is made of, one a row: powers of the time and of its logarithm, fewer of short series."""
    time = np.arange(steps) / max(steps - 1, 1)
    log = np.log1p(np.arange(steps)) / np.log(max(steps, 2))
    powers = 3 if steps >= 21 else 2 if steps >= 12 else 1
    return np.stack([shape**power for power in range(1, powers + 1) for shape in (time, log)])


def changes_test(x: Floats, y: Floats) -> tuple[float, float]:
    """Correlation of the changes from step to step of two series, less a smooth trend of each, and its p by shifts.

    The trend is taken out of every shifted series again: otherwise the shifts would keep what the observed order has
    lost, and look stronger than it. What two series share only as a trend or as a learning curve does not count.
    """
    steps = x.size
    if steps < MIN_MATCHED:
        return np.nan, np.nan
    basis = np.linalg.qr(np.diff(smooth_trend(steps)).T)[0]

    def left(series: Floats) -> Floats:
        return series - (series @ basis) @ basis.T

    first, second = (_zero_if_smooth(left(np.diff(values)), values) for values in (x, y))
    if not first.any() or not second.any():
        return np.nan, np.nan
    places = np.add.outer(np.arange(steps - 1), np.arange(steps - 1)) % (steps - 1)
    orders = left(np.concatenate([second[places], second[::-1][places]]))
    norm = np.linalg.norm(first)
    found = orders @ first / (norm * np.maximum(np.linalg.norm(orders, axis=1), np.finfo(np.float64).tiny))
    return float(found[0]), float((np.abs(found) >= abs(found[0]) - _EQUAL).mean())


def trend_test(x: Floats, y: Floats, controls: Floats | None = None) -> float:
    """How often two series of these smooth trends are correlated as strongly by themselves.

    The second keeps its trend, and what is left of it is shifted; with ``controls`` both are residualised on them.
    """
    steps = x.size
    if steps < MIN_MATCHED:
        return np.nan
    rest = residuals(y[None], smooth_trend(steps))[0]
    places = np.add.outer(np.arange(steps), np.arange(steps)) % steps
    orders = y - rest + np.concatenate([rest[places], rest[::-1][places]])
    both = np.concatenate([x[None], orders])
    unit = standardised(both if controls is None else residuals(both, controls))
    found = unit[1:] @ unit[0]
    known = np.isfinite(found)
    return float((np.abs(found[known]) >= abs(found[0]) - _EQUAL).mean()) if known[0] else np.nan


def _zero_if_smooth(rest: Floats, values: Floats) -> Floats:
    rounding = 64 * np.finfo(np.float64).eps * np.abs(values).max()
    return np.zeros_like(rest) if np.abs(rest).max() <= rounding else rest


def lag_test(x: Floats, y: Floats, furthest: int, draws: int = 399, seed: int = 42) -> tuple[int, float, float]:
    """The lag at which two series correlate best (positive: x first), r there, and p given that it was chosen.

    Shifts contain the lag itself, so y's best lag is compared with those of series with its spectrum and random
    phases (Theiler et al., Physica D 58, 1992).
    """
    steps = x.size
    if steps < MIN_MATCHED or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0, np.nan, np.nan
    orders = np.concatenate([y[None], _random_phases(y, draws, seed)])
    lags = np.arange(-furthest, furthest + 1)
    table = np.stack([_overlapping(x, orders, int(lag)) for lag in lags], axis=1)
    best = np.abs(table).max(axis=1)
    where = int(np.argmax(np.abs(table[0])))
    return int(lags[where]), float(table[0, where]), float((best >= best[0] - _EQUAL).mean())


def _random_phases(y: Floats, draws: int, seed: int) -> Floats:
    """Series with the spectrum of y, shape (draws, steps)."""
    rng = np.random.default_rng(seed)
    size = np.abs(np.fft.rfft(y - y.mean()))
    phases = np.exp(2j * np.pi * rng.random((draws, size.size)))
    if y.size % 2 == 0:  # the fastest oscillation has no phase but a sign
        phases[:, -1] = np.where(rng.random(draws) < 0.5, -1, 1)
    return np.fft.irfft(size * phases, y.size)


def residuals(x: Floats, controls: Floats) -> Floats:
    """Take out of series what is linear in others; exactly zero where only rounding is left."""
    off = x - x.mean(axis=1, keepdims=True)
    basis = controls - controls.mean(axis=1, keepdims=True)
    size = np.sqrt((basis**2).sum(axis=1, keepdims=True))
    design = (basis / np.where(size > 0, size, 1.0)).T
    left = off - (design @ np.linalg.lstsq(design, off.T, rcond=None)[0]).T
    rounding = 64 * np.finfo(np.float64).eps * np.abs(x).max(axis=1, keepdims=True)
    return np.where(np.abs(left).max(axis=1, keepdims=True) <= rounding, 0.0, left)


def standardised(x: Floats) -> Floats:
    """Scale every series to mean 0 and sum of squares 1; NaN where one is constant, to rounding."""
    off = x - x.mean(axis=1, keepdims=True)
    size = np.sqrt((off**2).sum(axis=1, keepdims=True))
    largest = np.abs(x).max(axis=1, keepdims=True, initial=0.0)
    constant = size <= 8 * np.finfo(np.float64).eps * np.sqrt(x.shape[1]) * largest
    return np.where(constant, np.nan, off / np.where(constant, 1.0, size))


def _overlapping(x: Floats, orders: Floats, lag: int) -> Floats:
    """Correlation of x with every order of y a lag later, over the steps both have."""
    steps = x.size
    early, late = slice(max(0, -lag), steps - max(0, lag)), slice(max(0, lag), steps - max(0, -lag))
    first, second = standardised(x[None, early]), standardised(orders[:, late])
    return np.nan_to_num(second @ first[0])
