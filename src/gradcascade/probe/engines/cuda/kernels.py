"""The kernels of a step: who is active and hands on, and what it hands to whom.

1. :func:`settle` lists the active nodes among the candidates and subtracts what they hand on. The list has, for each
   node, its share and where its contributions begin and end when all contributions are numbered one after another.
2. :func:`distribute` takes the contributions in blocks of equal length, whatever the degrees, and adds each share to
   its neighbour with one atomic addition. The old value that the addition returns shows when it lifts a node over the
   threshold; such nodes are the candidates of the next step, beside those that were active.

A node that becomes active is lifted over the threshold at least once, so no candidate is missed; it may be lifted
several times, so it is claimed in a bitmap before it is listed. Nothing depends on the order in which blocks run.
Indices into neighbours and contributions are 64-bit: there may be more than 2**31 of them.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# pyright: reportMissingImports=false
# (a kernel is not Python: Triton reads its source and gives the names their meaning; it exists for Linux only)

from typing import Any

import triton
import triton.language as tl

SPLIT = 33
"""Bits of a tally that hold contributions; the bits above hold active nodes, of which there are less than 2**31."""

_SPLIT = tl.constexpr(SPLIT)
_CONTRIBUTIONS = tl.constexpr((1 << SPLIT) - 1)
_NODES = tl.constexpr((1 << 31) - 1)


def launch(kernel: Any, programs: int, *arguments: Any, **constants: Any) -> None:
    """Run a kernel in so many programs; every product is rounded as it stands, never fused with a sum."""
    kernel[(programs,)](*arguments, **constants, enable_fp_fusion=False)


@triton.jit(do_not_specialize=["threshold"])
def count_active(units, n, threshold, found, BLOCK: tl.constexpr):
    """Count the active nodes among all nodes."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    unit = tl.load(units + at, mask=at < n, other=0)
    tl.atomic_add(found, tl.sum((tl.abs(unit) > threshold).to(tl.int32), 0).to(tl.int64), sem="relaxed")


@triton.jit
def _offset(pointers, mask, NARROW: tl.constexpr):
    """Offsets of rows; narrow ones are unsigned numbers of 32 bits behind a signed type."""
    offset = tl.load(pointers, mask=mask, other=0).to(tl.int64)
    return offset & 0xFFFFFFFF if NARROW else offset


@triton.jit(do_not_specialize=["count", "threshold"])
def settle(
    units,
    offsets,
    candidates,
    lifted,
    marks,
    nodes,
    shifts,
    shares,
    ends,
    first,
    tally,
    alpha,
    threshold,
    count,
    ALL: tl.constexpr,
    NARROW: tl.constexpr,
    BLOCK: tl.constexpr,
    SPAN: tl.constexpr,
):
    """List the active nodes among the candidates, which are all ``count`` nodes or a list of ``count + lifted``."""
    start = tl.program_id(0).to(tl.int64) * BLOCK
    number = count.to(tl.int64)
    if not ALL:
        number += tl.load(lifted)
    if start >= number:
        return
    at = start + tl.arange(0, BLOCK)
    live = at < number
    i = at
    if not ALL:
        i = tl.load(candidates + at, mask=live, other=0).to(tl.int64)
    unit = tl.load(units + i, mask=live, other=0)
    chosen = live & (tl.abs(unit) > threshold)
    if not ALL:
        # A node that is listed twice may be seen here after it handed on, but then it is claimed already.
        bit = tl.full([BLOCK], 1, tl.int32) << (i & 31).to(tl.int32)
        claimed = tl.atomic_or(marks + (i >> 5), bit, mask=chosen, sem="relaxed")
        chosen = chosen & ((claimed & bit) == 0)
    own = chosen.to(tl.int32)
    active = tl.sum(own, 0)
    if active == 0:
        return
    row = _offset(offsets + i, chosen, NARROW)
    degree = (_offset(offsets + i + 1, chosen, NARROW) - row) * own
    # A quotient and a product in double precision, each rounded once: there is no sum to fuse them with.
    share = (unit.to(tl.float64) * (tl.load(alpha) / tl.where(chosen, degree, 1).to(tl.float64))).to(tl.int64)
    tl.store(units + i, unit - share * degree, mask=chosen)
    # One addition reserves places in the list and numbers of contributions, so both are in the same order.
    taken = tl.atomic_add(tally, (active.to(tl.int64) << _SPLIT) + tl.sum(degree, 0), sem="relaxed")
    place = ((taken >> _SPLIT) & _NODES) + tl.cumsum(own, 0) - 1
    end = (taken & _CONTRIBUTIONS) + tl.cumsum(degree, 0)
    begin = end - degree
    tl.store(nodes + place, i.to(tl.int32), mask=chosen)
    tl.store(shifts + place, row - begin, mask=chosen)
    tl.store(shares + place, share, mask=chosen)
    tl.store(ends + place, end, mask=chosen)
    # Every block of contributions learns the place of the node that it begins with; a hub begins many blocks.
    block = (begin + SPAN - 1) // SPAN
    begins = chosen & (block * SPAN < end)
    while tl.max(begins.to(tl.int32), 0) > 0:
        tl.store(first + block, place.to(tl.int32), mask=begins)
        block += 1
        begins = begins & (block * SPAN < end)


@triton.jit(do_not_specialize=["count", "total", "threshold"])
def distribute(
    units,
    neighbours,
    candidates,
    lifted,
    marks,
    nodes,
    shifts,
    shares,
    ends,
    first,
    threshold,
    count,
    total,
    SPAN: tl.constexpr,
):
    """Add ``total`` contributions of ``count`` active nodes, and list who is lifted over the threshold."""
    block = tl.program_id(0).to(tl.int64)
    at = block * SPAN + tl.arange(0, SPAN)
    live = at < total
    sought = tl.minimum(at, total - 1)
    low = tl.load(first + block)
    high = tl.load(first + block + 1, mask=(block + 1) * SPAN < total, other=count - 1)
    # The node of a contribution is the first whose end is larger; it lies between those of this block and the next.
    left = low + tl.zeros([SPAN], tl.int32)
    right = high + tl.zeros([SPAN], tl.int32)
    span = high - low
    while span > 0:
        middle = left + (right - left) // 2
        before = tl.load(ends + middle) <= sought
        left = tl.where(before, middle + 1, left)
        right = tl.where(before, right, middle)
        span = span // 2
    share = tl.load(shares + left)
    i = tl.load(neighbours + tl.load(shifts + left) + sought)
    moves = live & (share != 0)
    unit = tl.atomic_add(units + i, share, mask=moves, sem="relaxed")
    lifts = moves & (tl.abs(unit) <= threshold) & (tl.abs(unit + share) > threshold)
    number = tl.sum(lifts.to(tl.int32), 0)
    if number > 0:
        place = tl.atomic_add(lifted, number.to(tl.int64), sem="relaxed") + tl.cumsum(lifts.to(tl.int32), 0) - 1
        tl.store(candidates + count + place, i, mask=lifts)
    # The last contribution of each node gives its claim back.
    last = live & (at == tl.load(ends + left) - 1)
    node = tl.load(nodes + left, mask=last, other=0)
    tl.store(marks + (node >> 5), 0, mask=last)
