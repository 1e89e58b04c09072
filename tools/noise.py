"""Rounding of another processor: one random ulp in every sum that torch computes.

Processors add in a different order and with or without FMA, so the last digit of a
matrix product, convolution or reduction is not the same everywhere. A notebook that
stores the same texts and pictures under this noise stores nothing made of rounding.
"""

from zlib import crc32

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# ATen operations whose results are sums of rounded terms, without underscores around
# them and without "_backward": each name stands for its backward pass, too. In turn:
# products and attention, convolutions, sums and norms, losses, averages of neighbours
# and sums over an index, linear algebra.
OPERATIONS = """
mm bmm mv dot vdot addmm addmv addbmm baddbmm addr linear
cdist cdist_forward euclidean_dist trilinear mkldnn_rnn_layer
scaled_dot_product_flash_attention_for_cpu scaled_dot_product_flash_attention
scaled_dot_product_efficient_attention
native_multi_head_attention transformer_encoder_layer_fwd

convolution mkldnn_convolution cudnn_convolution slow_conv2d_forward

sum nansum mean nanmean prod trace cumsum cumprod logcumsumexp logsumexp
softmax log_softmax var std var_mean std_mean norm linalg_vector_norm renorm histc
native_layer_norm native_group_norm native_batch_norm fused_rms_norm
native_batch_norm_legit native_batch_norm_legit_no_training
batch_norm_with_update cudnn_batch_norm

nll_loss_forward nll_loss2d_forward mse_loss smooth_l1_loss huber_loss
binary_cross_entropy binary_cross_entropy_with_logits

avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool2d adaptive_avg_pool3d
upsample_bilinear2d upsample_bilinear2d_aa upsample_bicubic2d upsample_bicubic2d_aa
grid_sampler_2d col2im index_add scatter_add scatter_reduce
embedding_dense embedding_bag

linalg_cholesky_ex linalg_det linalg_eig linalg_eigh linalg_householder_product
linalg_inv_ex linalg_lstsq linalg_lu linalg_lu_factor_ex linalg_matrix_exp linalg_pinv
linalg_qr linalg_slogdet linalg_solve_ex linalg_solve_triangular linalg_svd
cholesky_inverse cholesky_solve
"""
INEXACT = frozenset(OPERATIONS.split())
# The integer of the same size, and its last bits that are all 0 in a sum added without
# rounding, like a count or a half.
BITS = {
    torch.float16: (torch.int16, 2**3 - 1),
    torch.bfloat16: (torch.int16, 2**2 - 1),
    torch.float32: (torch.int32, 2**8 - 1),
    torch.float64: (torch.int64, 2**16 - 1),
}


class Noise(TorchDispatchMode):
    """Moves results of `INEXACT` by one ulp up, by one down or not at all.

    Which of the three, depends on ``seed``, the operation, and the shapes and strides
    of its arguments: a processor repeats itself, too. Exact values stay: zeros and
    short mantissas (`BITS`) come out the same everywhere. No number is drawn from
    torch's global generators.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled():  # brings `linear`, `matmul` … undivided
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        if operation(func) in INEXACT:
            tensors = [a for a in tree_leaves((args, kwargs)) if torch.is_tensor(a)]
            layout = [(tuple(a.shape), a.stride()) for a in tensors]
            for number, x in enumerate(tree_leaves(result)):
                if torch.is_tensor(x):
                    key = self.seed, str(func), layout, number
                    shake(x, crc32(repr(key).encode()))
        return result


def operation(func: torch._ops.OpOverload) -> str:
    """The name of an ATen operation as it stands in `INEXACT`."""
    name = func.overloadpacket.__name__.strip("_")
    return name.removesuffix("_data").removesuffix("_backward")


def shake(x: torch.Tensor, seed: int) -> None:
    """Move inexact values of a floating-point tensor by -1, 0 or 1 ulp, in place."""
    if x.dtype not in BITS or x.is_meta:
        return
    integer, tail = BITS[x.dtype]
    generator = torch.Generator(x.device).manual_seed(seed)
    ulps = torch.randint(
        -1, 2, x.shape, generator=generator, device=x.device, dtype=integer
    )
    bits = x.view(integer)
    bits += ulps * (x.isfinite() & (bits & tail).ne(0))


def start(seed: int) -> None:
    """From here on, whatever this thread computes is noisy."""
    Noise(seed).__enter__()
