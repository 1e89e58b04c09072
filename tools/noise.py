"""Rounding of another processor: one random ulp in every sum that torch computes.

Processors add in a different order and with or without FMA, so the last digit of a
matrix product, convolution or reduction is not the same everywhere. A notebook that
stores the same texts and pictures under this noise stores nothing made of rounding.
"""

from zlib import crc32

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

# ATen operations that add rounded numbers, without underscores around them and without
# "_backward": each name stands for its backward pass, too. First those that only
# multiply and add.
SUMS = """
mm bmm mv dot vdot addmm addmv addbmm baddbmm addr linear
convolution mkldnn_convolution cudnn_convolution slow_conv2d_forward
sum nansum trace cumsum index_add scatter_add embedding_dense col2im
"""
# Attention and distances, means and norms, losses, averages of neighbours, linear
# algebra.
OTHERS = """
scaled_dot_product_flash_attention_for_cpu scaled_dot_product_flash_attention
scaled_dot_product_efficient_attention
native_multi_head_attention transformer_encoder_layer_fwd
cdist cdist_forward euclidean_dist trilinear mkldnn_rnn_layer

mean nanmean prod cumprod logcumsumexp logsumexp softmax log_softmax
var std var_mean std_mean norm linalg_vector_norm renorm histc
native_layer_norm native_group_norm native_batch_norm fused_rms_norm
native_batch_norm_legit native_batch_norm_legit_no_training
batch_norm_with_update cudnn_batch_norm

nll_loss_forward nll_loss2d_forward mse_loss smooth_l1_loss huber_loss
binary_cross_entropy binary_cross_entropy_with_logits

avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool2d adaptive_avg_pool3d
upsample_bilinear2d upsample_bilinear2d_aa upsample_bicubic2d upsample_bicubic2d_aa
grid_sampler_2d scatter_reduce embedding_bag

linalg_cholesky_ex linalg_det linalg_eig linalg_eigh linalg_householder_product
linalg_inv_ex linalg_lstsq linalg_lu linalg_lu_factor_ex linalg_matrix_exp linalg_pinv
linalg_qr linalg_slogdet linalg_solve_ex linalg_solve_triangular linalg_svd
cholesky_inverse cholesky_solve
"""
MULTIPLY_AND_ADD = frozenset(SUMS.split())
INEXACT = MULTIPLY_AND_ADD.union(OTHERS.split())
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
    of its arguments: a processor repeats itself, too. What comes out the same on every
    processor stays: zeros and short mantissas (`BITS`), and sums of one term, as in a
    product with the identity. No number is drawn from torch's global generators.
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
        name = func.overloadpacket.__name__.strip("_")
        name = name.removesuffix("_data").removesuffix("_backward")
        tensors = [a for a in tree_leaves((args, kwargs)) if torch.is_tensor(a)]
        if name in INEXACT and not any(a.is_meta for a in tensors):
            layout = [(tuple(a.shape), a.stride()) for a in tensors]
            terms = result
            if name in MULTIPLY_AND_ADD and any(map(mostly_zero, tensors)):
                terms = func(*tree_map(indicator, args), **kwargs)
            for number, (x, count) in enumerate(
                zip(tree_leaves(result), tree_leaves(terms), strict=True)
            ):
                if torch.is_tensor(x) and x.dtype in BITS:
                    key = self.seed, str(func), layout, number
                    rounded = None if terms is result else count > 1
                    shake(x, crc32(repr(key).encode()), rounded)
        return result


def mostly_zero(x: torch.Tensor) -> bool:
    return 2 * x.count_nonzero().item() <= x.numel()


def indicator(x: object) -> object:
    """1 where a floating-point tensor is not 0: the sum of these counts the terms."""
    if isinstance(x, torch.Tensor) and x.is_floating_point():
        return x.ne(0).to(x.dtype)
    return x


def shake(x: torch.Tensor, seed: int, where: torch.Tensor | None = None) -> None:
    """Move rounded values of a floating-point tensor by -1, 0 or 1 ulp, in place."""
    integer, tail = BITS[x.dtype]
    generator = torch.Generator(x.device).manual_seed(seed)
    ulps = torch.randint(
        -1, 2, x.shape, generator=generator, device=x.device, dtype=integer
    )
    bits = x.view(integer)
    ulps *= x.isfinite() & (bits & tail).ne(0)
    if where is not None:
        ulps *= where
    bits += ulps


def start(seed: int) -> None:
    """From here on, whatever this thread computes is noisy."""
    Noise(seed).__enter__()
