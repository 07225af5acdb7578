"""Every check of the audit: its code, its rule (the docstring, also in the docs), its data, and its sentence."""

from __future__ import annotations

from typing import Literal, NamedTuple

from gradcascade.sources.audit.findings import CHECKS, FAULT, LISTING, Evidence, Finding, at_steps, listed
from gradcascade.sources.stored import shown

__all__ = ["CHECKS"]


class Place(NamedTuple):
    """A step of a run, for evidence that concerns several runs."""

    scale: str
    run: str
    step: int


# --- from names, sizes and hashes


class MissingStep(Evidence, code="missing-step", reads=LISTING, needs={"steps": 1}):
    """A step that the plan, the schedule of the other steps, or most of the other runs have.

    A schedule is a grid, or 1, 2, 4, ... and then a grid; most are more than half of the other runs, and at least
    two. A fault if a difference spans the step and another run has it, or if a plan asks the hub for it; otherwise a
    warning. Steps that a plan chose have no schedule.
    """

    expected_by: Literal["plan", "schedule", "other runs"]
    too_long: tuple[int, ...] = ()  # later steps of the differences that span the missing ones

    def sentence(self, at: Finding) -> str:
        are = "is" if len(at.steps) == 1 else "are"
        if self.expected_by == "plan":
            return f"{at.when} {are} to be measured, and missing"
        have = "the other scales have" if self.expected_by == "other runs" else "the schedule of the other steps has"
        said = f"{at.when}, which {have}, {are} missing"
        if self.too_long:
            said += f"; the difference that ends at {at_steps(self.too_long)} covers more steps than elsewhere"
        return said


class MissingFile(Evidence, code="missing-file", reads=LISTING, needs={"steps": 3}):
    """No checkpoint or gradient at a step, where most steps have one."""

    lacks: Literal["checkpoint", "train gradients", "val gradients"]
    too_long: int | None = None  # later step of the difference that spans the step

    def sentence(self, at: Finding) -> str:
        longer = "" if self.too_long is None else f"; the difference that ends at step {self.too_long} spans it"
        return f"step {at.steps[0]} has no {self.lacks}, unlike the others{longer}"


class OutsideLink(Evidence, code="outside-link", reads=LISTING, needs={"steps": 1}):
    """A symbolic link leads out of the folder, or in a circle: what is behind it is not read, and not measured."""

    error: str
    words = "{self.error}"


class MissingShard(Evidence, code="missing-shard", reads=LISTING, needs={"sharded checkpoints": 1}):
    """A shard that an index, or the numbers in the names of the other shards, promise."""

    words = "step {at.steps[0]} lacks {at.named}, which its index or the names of the other shards promise"


class OddSize(Evidence, code="odd-size", reads=LISTING, needs={"files of one name": 3}):
    """A size more than 1 % from the median of the same file over the steps.

    Half or double, which another stored type makes, is a warning; so is a third to a half at the first step of files
    that may hold an optimizer too.
    """

    bytes: int
    usual_bytes: int

    def sentence(self, at: Finding) -> str:
        size = f"{self.bytes:,} bytes long" if self.bytes else "empty"
        said = f"{at.files[0]} of step {at.steps[0]} is {size}, and {self.usual_bytes:,} bytes at the other steps"
        harmless = "its numbers may be of another type, or an optimizer beside them has no state yet"
        so = "it is another file or a part of one" if at.severity == FAULT else harmless
        return f"{said}; {so}"


class IdenticalFiles(Evidence, code="identical-files", reads=LISTING, needs={"hashes of one name": 2}):
    """One SHA-256 under several steps.

    The contents often tell which step it belongs to; otherwise all are spoiled.
    """

    measured: bool = True  # whether the files are read for the measurement
    wrong_steps: tuple[int, ...] = ()  # steps that the file does not belong to by its contents, where these tell

    def sentence(self, at: Finding) -> str:
        said = f"{at.named} {'is' if len(at.files) == 1 else 'are'} identical at {at.when}"
        if not self.measured:
            return f"{said}; not read for the measurement"
        said += ", so at most one of them belongs to its label"
        if self.wrong_steps:
            do = "does" if len(self.wrong_steps) == 1 else "do"
            said += f"; by the contents {at_steps(self.wrong_steps)} {do} not"
        return said


class IdenticalShard(IdenticalFiles, code="identical-shard", reads=LISTING, needs={"sharded checkpoints": 2}):
    """One SHA-256 for a shard under several steps, whose other shards differ."""


class IdenticalAcrossRuns(Evidence, code="identical-across-scales", reads=LISTING, needs={"runs with hashes": 2}):
    """One SHA-256 under several scales or runs; a warning if all are first steps.

    Where size or structure fits one of them alone, that one is spared.
    """

    sha256: str
    places: tuple[Place, ...]
    belongs_by: Literal["size", "structure"] | None = None  # what tells that the file belongs to the finding's run

    def sentence(self, at: Finding) -> str:
        runs = {run for _, run, _ in self.places}
        places = [f"{s} {f'run {run} ' if runs != {'0'} else ''}step {step}" for s, run, step in self.places]
        said = f"{at.files[0]} is identical at {listed(places)}"
        return f"{said}; by its {self.belongs_by} it belongs to {at.scale}" if self.belongs_by else said


class Label(Evidence, code="label", reads=LISTING, needs={"statements": 1}):
    """Something else states another step than the label.

    Looked at are `global_step` in `trainer_state.json`, the tag in DeepSpeed's `latest`, and `step`, `global_step` or
    `iteration` in the metadata of a safetensors file or as a tensor of one integer. Off by one at every step is no
    finding.
    """

    stated_by: str
    stated_step: int
    words = "the label says step {at.steps[0]}, and {self.stated_by} says step {self.stated_step}"


class Known(Evidence, code="known", reads=LISTING, needs={"reports": 1}):
    """Reported of the repository by others.

    That steps hold the same weights is not said where the hub lists hashes that differ; a local run of that name
    gets a note.
    """

    repository: str
    fault: str  # its code in the family file
    report: str
    urls: tuple[str, ...]

    def sentence(self, at: Finding) -> str:
        name = self.repository if "/" in self.repository else f"the published {self.repository}"
        return f"known of {name}: {self.report} ({' and '.join(self.urls)})"


# --- from the tensors


class Unreadable(Evidence, code="unreadable", needs={"files": 1}):
    """The reader refuses the file."""

    error: str
    words = "{self.error}"


class Structure(Evidence, code="structure", needs={"checkpoints": 2, "gradients": 2}):
    """Tensors of other names or shapes than at most steps."""

    lacking: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    tensor: str | None = None
    shape: tuple[int, ...] = ()
    usual_shape: tuple[int, ...] = ()

    def sentence(self, at: Finding) -> str:
        said = f"has {shown(self.tensor)} of shape {self.shape} instead of {self.usual_shape}"
        if self.lacking or self.extra:
            said = f"lacks {_names(self.lacking)}" if self.lacking else f"has {_names(self.extra)} besides"
        return f"the {at.what} of step {at.steps[0]} {said}, unlike the other steps"


class StoredType(Evidence, code="stored-type", needs={"checkpoints": 2, "gradients": 2}):
    """Another stored type than at most steps; a warning."""

    tensor: str
    dtype: str
    usual_dtype: str

    def sentence(self, at: Finding) -> str:
        stores = f"stores {shown(self.tensor)} as {self.dtype}, and the other steps as {self.usual_dtype}"
        return f"the {at.what} of step {at.steps[0]} {stores}"


class _Tensors(Evidence):
    """Some tensors of a checkpoint or a gradient."""

    tensors: tuple[str, ...]

    @property
    def names(self) -> str:
        """The tensors in words."""
        return _names(self.tensors)


class NotFinite(_Tensors, code="not-finite", needs={"checkpoints": 1, "gradients": 1}):
    """NaN, infinity, or numbers too large to be squared."""

    words = "the {at.what} of step {at.steps[0]} has entries that are not finite in {self.names}"


class ZeroTensor(_Tensors, code="zero-tensor", needs={"checkpoints": 1, "gradients": 1}):
    """A tensor of at least 1,024 entries is zero, and is not at most steps.

    A warning for a gradient at the first step.
    """

    words = "the {at.what} of step {at.steps[0]} is zero in all of {self.names}, unlike the other steps"


class ZeroGradient(Evidence, code="zero-gradient", needs={"gradients": 1}):
    """A gradient is zero everywhere."""

    words = "the gradient of step {at.steps[0]} is zero everywhere"


class IdenticalContents(Evidence, code="identical-contents", needs={"checkpoints": 2, "gradients": 2}):
    """The same numbers under several steps, in whatever file, type or sign of zero."""

    def sentence(self, at: Finding) -> str:
        so = "their difference is zero and " if at.what == "checkpoint" else ""
        return f"the {at.what}s of {at.when} hold the same numbers, so {so}at most one of them belongs to its label"


class _Part(_Tensors):
    """Some tensors of a checkpoint, which may make up a shard."""

    shard: str | None = None

    @property
    def subject(self) -> str:
        """The tensors in words: as the shard that they make up, if they do."""
        if self.shard:
            return f"the shard {self.shard}"
        return f"the tensor{'s' if len(self.tensors) > 1 else ''} {self.names}"

    @property
    def lies(self) -> str:
        """The verb that goes with it."""
        return "lies" if self.shard or len(self.tensors) == 1 else "lie"


class CopiedPart(_Part, code="copied-part", needs={"checkpoints": 3}):
    """A tensor of at least 1,024 entries comes back to where it was; a smaller one where all its entries move."""

    words = "{self.subject} is the same at {at.when} and another in between"


class CopiedGradient(_Tensors, code="copied-gradient", needs={"gradients": 2}):
    """A tensor of at least 8 entries has the same values in the gradients of several steps, and the others do not."""

    words = "{self.names} {self.lie} the same in the gradients of {at.when}"

    @property
    def lie(self) -> str:
        """The verb that goes with the tensors."""
        return "is" if len(self.tensors) == 1 else "are"


class StalePart(_Part, code="stale-part", needs={"checkpoints": 4}):
    """A tensor of at least 1,024 entries does not change in a single one while the others move.

    Only where more than half of its entries change in the median of the other differences; of a smaller tensor, from
    8 entries on, nine tenths in all of them.
    """

    words = "{self.subject} does not change at all {at.span}, while the other tensors do"


class Frozen(Evidence, code="frozen", needs={"checkpoints": 2, "gradients": 2}):
    """Tensors that are the same at every step while others change; a note.

    Nothing trains them, so that their zeros count among the entries of every update. Of gradients, those that are
    zero at every step.
    """

    tensors: tuple[str, ...]
    entries: int
    of_entries: int

    def sentence(self, at: Finding) -> str:
        verb = "never changes" if len(self.tensors) == 1 else "never change"
        others = "are not" if at.what == "gradient" else "do"
        if at.what == "gradient":
            verb = "is always zero" if len(self.tensors) == 1 else "are always zero"
        leave = " ".join(f"--tensors '!{name}'" for name in self.tensors[:3])
        share = f"{self.entries:,} of {self.of_entries:,} entries"
        return (
            f"{_names(self.tensors)} ({share}) {verb} from step {at.steps[0]} to step {at.steps[-1]}, while others "
            f"{others}; if frozen on purpose, leave out what is not trained: {leave}"
        )


_FAR = "far off the way between the neighbours: weights of another step or run"
_NEAR_THE_END = "much nearer to the last checkpoint than later ones do: later weights than the label says"


class ForeignWeights(Evidence, code="foreign-weights", needs={"checkpoints": 3}):
    """A checkpoint lies far off the way between its neighbours: d(p, m) + d(m, n) > 3 d(p, n).

    The ratio is 1 on a straight way, 1.4 on a random walk, and 2 for fluctuation around a fixed point.
    """

    words = "the checkpoint of step {at.steps[0]} lies " + _FAR


class ForeignPart(_Part, code="foreign-part", needs={"checkpoints": 3}):
    """The same of some of the tensors."""

    words = "{self.subject} at step {at.steps[0]} {self.lies} " + _FAR


class LateWeights(Evidence, code="late-weights", needs={"checkpoints": 4}):
    """Less than half as far from the last checkpoint as two later ones, and as the neighbours.

    A stretch that begins the run must be left by a leap.
    """

    words = "the checkpoint of step {at.steps[0]} lies " + _NEAR_THE_END


class LatePart(_Part, code="late-part", needs={"checkpoints": 4}):
    """The same of some of the tensors."""

    words = "{self.subject} at step {at.steps[0]} {self.lies} " + _NEAR_THE_END


class Exchanged(_Tensors, code="exchanged-names", needs={"checkpoints": 2}):
    """Two tensors of one shape are each nearer to the other of the checkpoint before than to themselves.

    With a and b before, a' and b' after: d(a', b) < 0.75 d(a', a) and d(b', a) < 0.75 d(b', b), over at most 4,096
    entries; half instead of 0.75 below 32 entries. Tensors of less than 1,024 entries are compared if nearly all of
    them change at nearly every step. An exchange at every step leaves no trace in the files.
    """

    words = "{self.names} have each other's values {at.span}: their names are exchanged at one of the two"


class Transposed(_Tensors, code="transposed", needs={"checkpoints": 2}):
    """A square matrix is nearer to the transpose of the one before than to itself, by half."""

    words = "{self.names} {self.verb} turned over (transposed) {at.span}"

    @property
    def verb(self) -> str:
        """The verb that goes with the tensors."""
        return "is" if len(self.tensors) == 1 else "are"


class OddTensor(_Tensors, code="odd-tensor", needs={"checkpoints": 4}):
    """A tensor of at least 8 entries changes at one step out of its own row; a warning.

    It leaves its way and comes back (both changes more than 4 times its usual one, and a detour of more than 3), its
    first or last change is 20 times any other, or nothing of it is left where the others keep their values.
    """

    times_usual: float
    words = (
        "the change of {self.names} at step {at.steps[0]} is {self.times_usual:.3g} times the usual one, unlike the "
        "other tensors': were its values drawn anew, or of another step?"
    )


class Twins(_Tensors, code="twins", needs={"checkpoints": 2}):
    """Tensors that change and have the same values as another one at every step; a note.

    They are copies, whose entries count more than once, or parameters with the same gradients from the same start, as
    two biases that are added to one sum.
    """

    entries: int
    words = (
        "{self.names} ({self.entries:,} entries) have the values of another tensor at every step: copies, to be left "
        "out with --tensors '!NAME', or parameters that are trained alike, as two biases of one sum"
    )


class PartlyZero(_Tensors, code="partly-zero", needs={"checkpoints": 3, "gradients": 3}):
    """Many more zeros in a tensor than at any other step; a warning.

    At least 16 of them, and 4 times as many as at any other step. A tensor that is zero from the first step on, as
    biases are, is none.
    """

    zeros: int
    usual_zeros: int
    words = (
        "the {at.what} of step {at.steps[0]} has {self.zeros:,} zeros in {self.names}, and at most "
        "{self.usual_zeros:,} at the other steps; a part of it may never have been written"
    )


class Rounded(Evidence, code="rounded", needs={"checkpoints": 2, "gradients": 2}):
    """Numbers with fewer bits of fraction than those of the other steps, or than their stored type has.

    Half precision has 10, bfloat16 7. A warning at some steps of a run; a note where all are so.
    """

    bits: int
    usual_bits: int

    def sentence(self, at: Finding) -> str:
        step = at.steps[-1]
        kind = {7: " as bfloat16", 10: " as half precision"}.get(self.bits, "")
        if len(at.steps) > 1:
            return f"the {at.what}s {at.span} have only {self.bits} bits of fraction{kind}; nothing finer is left"
        return (
            f"the {at.what} of step {step} is rounded to {self.bits} bits of fraction{kind}, and the "
            f"others to {self.usual_bits}"
        )


class SwappedLabels(Evidence, code="swapped-labels", needs={"checkpoints": 4}):
    """Two neighbours make a way 1.2 times shorter in the other order."""

    words = "the checkpoints of {at.when} make a shorter way in the other order: their labels are swapped"


class NearlyZero(Evidence, code="nearly-zero", needs={"checkpoints": 2}):
    """At most 1 % of a difference's entries are not zero."""

    nonzero_share: float
    words = "the difference {at.span} is nearly zero: {self.nonzero_share:.2%} of its entries are not"


class Coarse(Evidence, code="coarse", needs={"checkpoints": 2}):
    """At least 90 % of a difference's entries are zero or one unit in the last place of the stored type.

    Rounding then decides the probe's threshold; from 50 % on it is a warning. Counted over the tensors that are
    measured.
    """

    zero_share: float
    unit_share: float

    def sentence(self, at: Finding) -> str:
        lost = "lost in rounding" if at.severity == FAULT else "coarse"
        units = f"{self.unit_share:.1%} one unit in the last place of the stored type"
        return f"the difference {at.span} is {lost}: {self.zero_share:.1%} of its entries are zero, {units}"


class NormOutlier(Evidence, code="norm-outlier", needs={"checkpoints": 5, "gradients": 4}):
    """The norm per root of a training step is 4 times above or below both neighbours (20 at the ends).

    Of gradients 10 (50), and a warning, since the probe does not see a field's scale.
    """

    times_usual: float

    def sentence(self, at: Finding) -> str:
        norm = f"{self.times_usual:.3g} times the usual norm"
        if at.what == "gradient":
            return f"the gradient of step {at.steps[0]} has {norm}; was it scaled, or summed over another batch?"
        return f"the difference {at.span} has {norm}: the two do not follow each other in one run"


class ScaledCopy(Evidence, code="scaled-copy", needs={"gradients": 2}):
    """A gradient is a multiple of the one before (cosine within 1e-9 of 1)."""

    factor: float

    def sentence(self, at: Finding) -> str:
        before, step = at.steps
        return f"the gradient of step {step} is that of step {before} times {self.factor:.4g}"


def _names(tensors: tuple[str, ...]) -> str:
    return listed([shown(name) for name in tensors], 3)
