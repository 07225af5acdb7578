"""Single machine instructions that Numba does not offer: the lowest bit, the upper half of a product, prefetches."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

_I32 = ir.IntType(32)


@intrinsic
def lowest_bit(typingctx, word):
    """Place of the lowest bit that is set in a uint64, which must not be zero."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.uint64(types.uint64), generate


@intrinsic
def upper_half(typingctx, a, b):
    """Upper 64 bits of the product of two uint64."""

    def generate(context, builder, signature, arguments):
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(argument, wide) for argument in arguments))
        return builder.trunc(builder.lshr(product, wide(64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


def _prefetch(builder, context, kind, array, index, write):
    byte = ir.IntType(8).as_pointer()
    function = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
    call = cgutils.get_or_insert_function(builder.module, function, "llvm.prefetch.p0i8")
    pointer = builder.gep(make_array(kind)(context, builder, array).data, [index])
    keep, data = _I32(3), _I32(1)
    builder.call(call, [builder.bitcast(pointer, byte), _I32(write), keep, data])
    return context.get_dummy_value()


@intrinsic
def prefetch(typingctx, array, index):
    """Ask for ``array[index]`` to be brought into the cache; index is a uint64, and may lie beyond the end."""

    def generate(context, builder, signature, arguments):
        return _prefetch(builder, context, signature.args[0], *arguments, write=0)

    return types.void(array, types.uint64), generate


@intrinsic
def prefetch_to_write(typingctx, array, index):
    """As :func:`prefetch`, for a place that will be written."""

    def generate(context, builder, signature, arguments):
        return _prefetch(builder, context, signature.args[0], *arguments, write=1)

    return types.void(array, types.uint64), generate
