"""The CUDA engine: PyTorch tensors in, Triton kernels; the same bits as the other engines."""
