"""Profile collapse: the exponent that brings the activity profiles of all scales onto one curve, and how well.

Houdayer and Hartmann's method (Phys. Rev. B 70, 014418, 2004). Every profile is a set of points (l / N^z, y_l) with
an error each. The curve at a point is a weighted line through the two neighbouring points of every other scale, and
the quality S is the mean square distance of the points from it in units of its error: about 1 where one curve serves
all scales. z is where S is least. Unlike theirs, the line is moved by what a parabola would lie below it: at the
largest N counting noise is so small that the bend of a profile between two relaxation steps would otherwise raise S
and shift z.

The error of a point is counting noise only: a cascade that is a branching process with Poisson offspring has a
variance of log A_l of 1/A_1 + ... + 1/A_l (A_0 is a quantile and does not fluctuate). S therefore grows with N for
the same distance between two curves; the misfit, a distance in y, does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

LEAST = 10
"""Points with fewer active nodes are left out: their logarithm is no longer near normal."""

FORMS = ("duration", "decay")
"""What is collapsed: ``log A_l / log A_0``, whose z is that of durations, or ``log(A_l / A_0)``, whose z is that of
the decay time alone: where activity decays geometrically at one rate, durations grow like log A_0 and this z is 0."""

LOWEST, HIGHEST, GAP = -0.5, 1.0, 0.1
"""Range of z searched, and the spacing of the first look."""

OVERLAP = 0.25
"""A z counts only if at least this share of the points that can meet another scale's curve does so there."""

_SECTIONS = 16
_ROUNDS = 40
_SETTLED = 1e-5
_POINTS = 100_000
Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Profiles:
    """Profiles ready to compare, shape (steps, profiles, relaxation steps); ``last`` is -1 where there is none."""

    y: Floats
    variance: Floats
    last: Ints

    @classmethod
    def of(cls, counts: Floats, cascades: Floats, form: str) -> Profiles:
        """From mean active nodes, zero where there are none, of so many cascades (steps, profiles)."""
        low = counts < LEAST
        last = np.where(low.any(axis=-1), low.argmax(axis=-1), counts.shape[-1]) - 1
        inside = np.arange(counts.shape[-1]) <= last[..., None]
        kept = np.where(inside, counts, float(LEAST))
        start = np.log(kept[..., :1])
        share = np.where(inside, 1 / (kept * np.maximum(cascades, 1)[..., None]), 0.0)
        share[..., 0] = 0.0
        variance = np.cumsum(share, axis=-1)
        if form == "duration":
            return cls(np.log(kept) / start, variance / start**2, last)
        return cls(np.log(kept) - start, variance, last)


@dataclass(frozen=True)
class Dots:
    """The points of profiles, one under the other; ``scale`` is the place of the profile's scale among the curves."""

    step: Ints
    profile: Ints
    scale: Ints
    place: Ints
    y: Floats
    variance: Floats

    @classmethod
    def of(cls, profiles: Profiles, scale: Ints) -> Dots:
        """All points of the profiles but A_0, which is the same for all by the choice of the threshold."""
        length = np.arange(profiles.y.shape[2])
        step, profile, place = np.nonzero((length >= 1) & (length <= profiles.last[..., None]))
        at = step, profile, place
        return cls(step, profile, scale[profile], place, profiles.y[at], profiles.variance[at])

    def some(self, rows: slice | Flags) -> Dots:
        """Some of the points."""
        return Dots(*(getattr(self, name)[rows] for name in self.__annotations__))


@dataclass(frozen=True)
class Distances:
    """How points lie to the curve of the other scales; ``turn`` is its derivative by the logarithm of l."""

    points: Dots
    off: Floats
    variance: Floats
    turn: Floats
    there: Flags
    shape: tuple[int, int]
    """Numbers of steps and profiles."""

    @property
    def count(self) -> Ints:
        """Points that meet a curve, by step."""
        return np.bincount(self.points.step[self.there], minlength=self.shape[0])

    @property
    def quality(self) -> Floats:
        """Houdayer and Hartmann's S by step; NaN where no point meets a curve."""
        return self._mean(self.off**2 / self.variance)

    @property
    def misfit(self) -> Floats:
        """Root mean square distance in y by step."""
        return np.sqrt(self._mean(self.off**2))

    @property
    def stretch(self) -> Floats:
        """Logarithm of the stretch that would bring each profile onto the curve, to first order; NaN if unknown."""
        where = self.points.step * self.shape[1] + self.points.profile
        weight = np.where(self.there, self.turn / self.variance, 0.0)
        moved, power = (
            np.bincount(where, weight * term, self.shape[0] * self.shape[1]).reshape(self.shape)
            for term in (self.off, self.turn)
        )
        return np.where(power > 0, -moved / np.where(power > 0, power, 1.0), np.nan)

    def _mean(self, values: Floats) -> Floats:
        count = self.count
        total = np.bincount(self.points.step, np.where(self.there, values, 0.0), self.shape[0])
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@dataclass(frozen=True)
class Curves:
    """The mean profile of every scale, and the logarithm of N (steps, scales), NaN where a scale is absent."""

    profiles: Profiles
    log_n: Floats

    @cached_property
    def bends(self) -> Floats:
        """Second difference of y between l and l + 1: the mean of those at both, or the one that is known."""
        y, last = self.profiles.y, self.profiles.last[..., None]
        place = np.arange(1, y.shape[2] - 1)
        second = np.zeros(y.shape)
        second[..., 1:-1] = np.where(place < last, y[..., 2:] - 2 * y[..., 1:-1] + y[..., :-2], 0.0)
        after = np.concatenate([second[..., 1:], second[..., :1]], axis=-1)
        return np.where(np.arange(y.shape[2]) + 1 < last, (second + after) / 2, second)

    def distances(self, points: Dots, count: int, times: Floats) -> Distances:
        """Distances of the points of ``count`` profiles where l is divided by ``exp(times)`` (steps, scales)."""
        parts = [points.some(slice(row, row + _POINTS)) for row in range(0, max(points.y.size, 1), _POINTS)]
        found = [self._some(part, times) for part in parts]
        return Distances(
            points,
            off=np.concatenate([part[0] for part in found]),
            variance=np.concatenate([part[1] for part in found]),
            turn=np.concatenate([part[2] for part in found]),
            there=np.concatenate([part[3] for part in found]),
            shape=(self.log_n.shape[0], count),
        )

    def _some(self, points: Dots, times: Floats) -> tuple[Floats, Floats, Floats, Flags]:
        y, variance, last = self.profiles.y, self.profiles.variance, self.profiles.last
        _, scales, length = y.shape
        known = np.where(last >= 0, times, 0.0)
        factor = np.exp(known[points.step] - known[points.step, points.scale][:, None])
        place = points.place[:, None] * factor
        left = np.floor(place)
        met = (left >= 1) & (left + 1 <= last[points.step]) & (points.scale[:, None] != np.arange(scales))
        share = np.where(met, place - left, 0.0)
        index = np.where(met, left, 0).astype(np.intp)
        index += (points.step[:, None] * scales + np.arange(scales)) * length
        bow = self.bends.ravel()[index] * share * (1 - share) / 2
        index = np.concatenate([index, np.where(met, index + 1, index)], axis=1)
        met, factor, place = (np.concatenate([both, both], axis=1) for both in (met, factor, place))
        weight = np.where(met, 1 / np.where(met, variance.ravel()[index], 1.0), 0.0)
        x, height = (index % length - place) / factor, y.ravel()[index] - np.concatenate([bow, bow], axis=1)
        by_x = weight * x
        one, sum_x, sum_y = weight.sum(axis=1), by_x.sum(axis=1), np.einsum("pk,pk->p", weight, height)
        xx, xy = np.einsum("pk,pk->p", by_x, x), np.einsum("pk,pk->p", by_x, height)
        there = np.asarray(met.any(axis=1))
        spread = np.where(there, one * xx - sum_x**2, 1.0)
        curve, slope = (xx * sum_y - sum_x * xy) / spread, (one * xy - sum_x * sum_y) / spread
        return (
            np.where(there, points.y - curve, 0.0),
            np.where(there, points.variance + xx / spread, 1.0),
            np.where(there, slope * points.place, 0.0),
            there,
        )

    def best(self, points: Dots, count: int) -> Floats:
        """Z of least S at every step; NaN where it is not inside the range searched or nothing meets."""
        steps = self.log_n.shape[0]

        def look(z: Floats) -> Distances:
            return self.distances(points, count, z[:, None] * self.log_n)

        places = np.linspace(LOWEST, HIGHEST, round((HIGHEST - LOWEST) / GAP) + 1)
        looks = [look(np.full(steps, place)) for place in places]
        meeting = np.stack([look.count for look in looks])
        allowed = (meeting > 0) & (meeting >= OVERLAP * meeting.max(axis=0))
        quality = np.where(allowed, np.stack([look.quality for look in looks]), np.inf)
        first = quality.argmin(axis=0)
        found = np.isfinite(quality.min(axis=0)) & (first > 0) & (first < places.size - 1)
        low, high = places[np.maximum(first - 1, 0)], places[np.minimum(first + 1, places.size - 1)]
        ratio = (np.sqrt(5) - 1) / 2
        inner, outer = high - ratio * (high - low), low + ratio * (high - low)
        at_inner, at_outer = look(inner).quality, look(outer).quality
        for _ in range(_SECTIONS):
            lower = at_inner < at_outer
            low, high = np.where(lower, low, inner), np.where(lower, outer, high)
            inner, outer = (
                np.where(lower, high - ratio * (high - low), outer),
                np.where(lower, inner, low + ratio * (high - low)),
            )
            new = look(np.where(lower, inner, outer)).quality
            at_inner, at_outer = np.where(lower, new, at_outer), np.where(lower, at_inner, new)
        return np.where(found, (low + high) / 2, np.nan)

    def free(self, z: Floats) -> Floats:
        """Logarithms of the stretch of every scale that bring the profiles together, free of any law (steps, scales).

        Starts from a power law; each scale is moved to the curve of the others until none moves. Mean zero by step.
        """
        scales = self.log_n.shape[1]
        points, known = Dots.of(self.profiles, np.arange(scales)), self.profiles.last >= 0
        times = np.where(known, np.nan_to_num(z)[:, None] * np.nan_to_num(self.log_n), 0.0)
        moving = np.ones(self.log_n.shape[0], dtype=bool)
        for _ in range(_ROUNDS):
            here = points.some(moving[points.step])
            move = np.where(known, np.nan_to_num(self.distances(here, scales, times).stretch), 0.0)
            # Half of each move: two scales that hold each other's curve would else swap places for ever.
            move = np.where(known & moving[:, None], np.clip(move - _mean(move, known), -0.5, 0.5) / 2, 0.0)
            times += move
            moving = np.abs(move).max(axis=1, initial=0.0) > _SETTLED
            if not moving.any():
                break
        return np.where(known, times - _mean(times, known), np.nan)


def _mean(values: Floats, known: Flags) -> Floats:
    return (np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))[:, None]
