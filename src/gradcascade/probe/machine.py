"""Single machine instructions that Numba does not offer: bit counts, prefetch, and entries packed into 12 bytes."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

ENTRY_WORDS = 3
"""Words of 32 bits that one packed entry takes: a node (one) and an amount (two)."""

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _pointer(context, builder, kind, array, index):
    return builder.gep(make_array(kind)(context, builder, array).data, [index])


@intrinsic
def count_bits(typingctx, word):
    """Number of bits that are set in a uint64."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@intrinsic
def lowest_bit(typingctx, word):
    """Place of the lowest bit that is set in a uint64, which must not be zero."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.uint64(types.uint64), generate


@intrinsic
def prefetch(typingctx, array, index):
    """Ask for ``array[index]`` to be brought into the cache; index is a uint64."""

    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], *arguments)
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        read, keep, data = _I32(0), _I32(3), _I32(1)
        builder.call(call, [builder.bitcast(pointer, byte), read, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.uint64), generate


@intrinsic
def put_entry(typingctx, entries, place, node, amount):
    """Write entry number ``place`` of an int32 array: a node (uint32) and an amount (int64)."""

    def generate(context, builder, signature, arguments):
        array, place, node, amount = arguments
        first = builder.mul(place, _I64(ENTRY_WORDS))
        pointer = _pointer(context, builder, signature.args[0], array, first)
        builder.store(node, pointer, align=4)
        rest = builder.bitcast(builder.gep(pointer, [_I64(1)]), _I64.as_pointer())
        builder.store(amount, rest, align=4)
        return context.get_dummy_value()

    return types.void(entries, types.uint64, types.uint32, types.int64), generate


@intrinsic
def entry_amount(typingctx, entries, place):
    """Amount (int64) of entry number ``place`` of an int32 array; its node is ``entries[ENTRY_WORDS * place]``."""

    def generate(context, builder, signature, arguments):
        array, place = arguments
        second = builder.add(builder.mul(place, _I64(ENTRY_WORDS)), _I64(1))
        pointer = _pointer(context, builder, signature.args[0], array, second)
        return builder.load(builder.bitcast(pointer, _I64.as_pointer()), align=4)

    return types.int64(entries, types.uint64), generate
