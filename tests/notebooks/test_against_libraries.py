"""What notebooks write from scratch takes what the libraries take.

Own functions and their libraries meet in every dtype that makes sense, on nothing, on
one element, on extremes, on shapes that are not square. Every module meets gradcheck.
"""

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import skimage.metrics
import skimage.segmentation
import sklearn.decomposition
import sklearn.metrics
import sklearn.neighbors
import timm
import torch
import torch.nn.functional as F
import torchmetrics.detection
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.models import swin_transformer as timm_swin
from torch import Tensor, nn
from torchvision import ops
from torchvision.models import swin_transformer
from torchvision.transforms.functional import center_crop

from lecture_utils.metrics import AveragePrecision
from lecture_utils.reference import twin
from tools.definitions import definitions
from tools.paths import notebooks

pytestmark = pytest.mark.usefixtures("float64")
lecture = functools.cache(definitions)

FLOATS = torch.float16, torch.bfloat16, torch.float32, torch.float64
PRECISE = FLOATS[2:]  # where the library has no half precision on a processor
LABELS = torch.uint8, torch.int16, torch.int64
NUMBERS = *FLOATS, torch.uint8, torch.int64


class Given:
    """Choices of one example, and tensors that depend on nothing but them."""

    def __init__(self, data: st.DataObject, dtype: torch.dtype):
        self.data, self.dtype = data, dtype
        self.generator = torch.Generator().manual_seed(0)

    def one_of(self, *choices: Any) -> Any:
        return self.data.draw(st.sampled_from(choices))

    def numbers(self, *shape: int, scale: float = 1) -> Tensor:
        """Normal numbers, or bytes for integers."""
        if not self.dtype.is_floating_point:
            return self.labels(*shape, below=256)
        return (scale * torch.randn(shape, generator=self.generator)).to(self.dtype)

    def labels(self, *shape: int, below: int) -> Tensor:
        return torch.randint(below, shape, generator=self.generator).to(self.dtype)

    def boxes(self, n: int) -> Tensor:
        side = 200 if self.dtype == torch.uint8 else self.one_of(100, 1, 20_000)
        points = side * torch.rand(n, 2, 2, generator=self.generator)
        return torch.cat([points.amin(1), points.amax(1)], 1).to(self.dtype)

    def module(self, module: nn.Module) -> nn.Module:
        """The reference in this dtype, with all its numbers random."""
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=self.generator) - 0.4)
                tensor.abs_() if tensor.ndim == 1 else None  # a variance, too
        return module.to(self.dtype).eval()


Pair = Callable[[SimpleNamespace, Given], tuple[Any, Any]]
PAIRS: list = []


def pair(notebook: str, dtypes: tuple[torch.dtype, ...]) -> Callable[[Pair], Pair]:
    """A function that returns what ours and what the library's gives."""

    def note(function: Pair) -> Pair:
        for dtype in dtypes:
            name = f"{notebook[:2]}-{function.__name__}-{str(dtype)[6:]}"
            PAIRS.append(pytest.param(notebook, function, dtype, id=name))
        return function

    return note


def close(ours: Any, theirs: Any, dtype: torch.dtype) -> None:
    """Equal up to the rounding of the dtype, in units of the largest number."""
    ours, theirs = torch.as_tensor(ours), torch.as_tensor(theirs)
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    ours, theirs = ours.double(), theirs.double()
    scale = max(theirs[theirs.isfinite()].abs().flatten().tolist(), default=0)
    eps = torch.finfo(dtype if dtype.is_floating_point else torch.float64).eps
    torch.testing.assert_close(
        ours, theirs, rtol=0, atol=16 * eps * scale, equal_nan=True
    )


# --- 01: boxes, maps, pictures --------------------------------------------------------
# The libraries count boxes of any type in wider numbers, and so in float64 here.


@pair("01_tasks", NUMBERS)
def area(lecture, given):
    boxes = given.boxes(given.one_of(0, 1, 7))
    return lecture.area(boxes), ops.box_area(boxes.double())


@pair("01_tasks", NUMBERS)
def iou(lecture, given):
    a, b = (given.boxes(given.one_of(0, 1, 7)) for _ in "ab")
    return lecture.iou(a, b), ops.box_iou(a.double(), b.double())


@pair("01_tasks", NUMBERS)
def giou(lecture, given):
    a, b = (given.boxes(given.one_of(0, 1, 7)) for _ in "ab")
    theirs = ops.generalized_box_iou(a.double(), b.double())
    return lecture.giou(a, b), theirs


@pair("01_tasks", (*FLOATS, torch.int64))
def box_convert(lecture, given):
    boxes = given.boxes(given.one_of(0, 1, 7))
    corners, other = given.one_of(("xyxy", "cxcywh"), ("xyxy", "xywh"))
    source, target = given.one_of((corners, other), (other, corners))
    ours = getattr(lecture, f"{source}_to_{target}")
    return ours(boxes), ops.box_convert(boxes, source, target)


@pair("01_tasks", NUMBERS)
def nms(lecture, given):
    boxes = given.boxes(given.one_of(0, 1, 20))
    scores = given.labels(len(boxes), below=4)  # with ties
    threshold = given.one_of(0, 0.3, 1)
    theirs = ops.nms(boxes.double(), scores.double(), threshold)
    return lecture.nms(boxes, scores, threshold), theirs


@pair("01_tasks", LABELS)
def mean_iou(lecture, given):
    shape, K = given.one_of((0, 5), (1, 1), (3, 7)), given.one_of(2, 19, 200)
    predicted, true = (given.labels(*shape, below=K) for _ in "pt")
    ours = lecture.mean_iou(predicted, true, K)
    there = torch.cat([true, predicted]).unique()
    if not len(there):
        return ours, np.nan
    flat = true.flatten(), predicted.flatten()
    return ours, sklearn.metrics.jaccard_score(*flat, labels=there, average="macro")


@pair("01_tasks", FLOATS)
def average_precision(lecture, given):
    found, true = given.one_of(0, 1, 9), given.one_of(0, 1, 4)
    boxes = torch.cat([given.boxes(found), given.boxes(true)])
    boxes[found:] = boxes[:true].clone()  # some are found
    scores = given.numbers(found)
    right = lecture.match(boxes[:found], scores, boxes[found:])
    metric = AveragePrecision()  # proven against torchmetrics in its own tests
    metric.add(
        prediction={"boxes": boxes[:found].double(), "scores": scores.double()},
        reference={"boxes": boxes[found:].double()},
    )
    return lecture.average_precision(right, true), metric.compute()["average_precision"]


@pair("01_tasks", (torch.int16, torch.int32, torch.int64))
def panoptic_quality(lecture, given):
    shape = given.one_of((1, 1), (1, 9), (6, 4))
    labels, numbers = ([given.labels(*shape, below=n) for _ in "pt"] for n in (3, 2))
    predicted, true = (
        1000 * (1 + label) + number
        for label, number in zip(labels, numbers, strict=True)
    )
    there = set((torch.cat([predicted, true]) // 1000).unique().tolist())
    metric = torchmetrics.detection.PanopticQuality(things=there, stuffs=set())
    theirs = metric(
        *(
            torch.stack([x // 1000, x % 1000], -1)[None].long()
            for x in (predicted, true)
        )
    )
    return lecture.panoptic_quality(predicted, true), theirs


@pair("01_tasks", (*FLOATS, torch.uint8))
def psnr(lecture, given):
    shape = given.one_of((1,), (3, 5))
    x, y = (given.numbers(*shape) for _ in "xy")
    theirs = skimage.metrics.peak_signal_noise_ratio(
        *(v.double().numpy() for v in (x, y)), data_range=1
    )
    return lecture.psnr(x, y), theirs


@pair("01_tasks", FLOATS)
def windows(lecture, given):
    x = given.numbers(1, 1, *given.one_of((25, 25), (31, 47), (90, 26)))
    theirs = np.lib.stride_tricks.sliding_window_view(x[0, 0].double(), (25, 25))
    return lecture.windows(x)[0][:, 0], theirs[::4, ::4].reshape(-1, 25, 25)


# --- 02 and 03: networks of convolutions ----------------------------------------------


@pair("02_vgg", PRECISE)
def lrn(lecture, given):
    a = given.numbers(
        *given.one_of((0, 5, 2, 2), (1, 1, 1, 1), (2, 7, 3, 1), (1, 5, 0, 3)),
        scale=given.one_of(1, 1e4),
    )
    n = given.one_of(1, 2, 5, 9)
    return lecture.lrn(a, n), F.local_response_norm(a, n, 1e-4 * n, 0.75, k=2)


@pair("02_vgg", NUMBERS)
def nearest_mean(lecture, given):
    x, new = given.numbers(9, 3), given.numbers(given.one_of(1, 5), 3)
    labels = torch.tensor(given.one_of([0, 1, 2], [7, 3, 3], [5, 9, -1]) * 3)
    model = sklearn.neighbors.NearestCentroid().fit(x.double(), labels)
    return lecture.nearest_mean(x, labels, new), model.predict(new.double())


@pair("03_googlenet", FLOATS)
def dense_per_pixel(lecture, given):
    x = given.numbers(*given.one_of((0, 3, 4, 5), (1, 3, 1, 1), (2, 3, 4, 7)))
    conv = given.module(nn.Conv2d(3, 5, 1))
    dense = nn.Linear(3, 5)
    dense.weight = nn.Parameter(conv.weight.flatten(1))
    dense.bias = conv.bias
    ours = twin(lecture.DensePerPixel(3, 5), conv)(x)
    loop = lecture.dense_at_every_pixel(x, dense)
    return torch.stack([ours, loop]), torch.stack([conv(x)] * 2)


@pair("03_googlenet", PRECISE)
def reduce_and_expand(lecture, given):
    x = given.numbers(1, *given.one_of((6, 5, 7), (4, 1, 9), (2, 1, 2)))
    r = given.one_of(1, 2)
    pixels = x[0].flatten(1).T.numpy()
    pca = sklearn.decomposition.PCA(r).fit(pixels)
    theirs = torch.tensor(pca.inverse_transform(pca.transform(pixels)))
    return lecture.reduce_and_expand(x, r)[1], theirs.T.view_as(x)


@pair("03_googlenet", FLOATS)
def depth_concat(lecture, given):
    B = given.one_of(0, 1, 2)
    sides = given.one_of(((4, 4), (4, 4)), ((1, 1), (8, 3)), ((7, 2), (4, 9)))
    maps = [given.numbers(B, 2, *size) for size in sides]
    size = [max(side) for side in zip(*sides, strict=True)]
    return lecture.depth_concat(maps), torch.cat(
        [center_crop(m, size) for m in maps], 1
    )


# --- 04 and 05: residual networks, FPN, U-Net -----------------------------------------


@pair("04_resnet", FLOATS)
def same_conv(lecture, given):
    k, stride = given.one_of((1, 2), (3, 1), (3, 2), (5, 2))
    conv = given.module(timm.layers.Conv2dSame(2, 3, k, stride, bias=False))
    x = given.numbers(given.one_of(0, 2), 2, *given.one_of((1, 1), (5, 8), (7, 2)))
    return twin(lecture.SameConv2d(2, 3, k, stride), conv)(x), conv(x)


@pair("05_fpn_unet", (*FLOATS, torch.uint8))
def upsample(lecture, given):
    x = given.numbers(given.one_of(1, 2), 3, *given.one_of((1, 1), (3, 4), (5, 2)))
    size = given.one_of((1, 1), (7, 9), (6, 8))
    like = torch.empty(1, 1, *size)
    return lecture.upsample(x, like), nn.UpsamplingNearest2d(size)(x)


@pair("05_fpn_unet", NUMBERS)
def crop(lecture, given):
    x = given.numbers(given.one_of(0, 2), 3, *given.one_of((7, 9), (8, 6), (5, 5)))
    size = given.one_of((0, 1), (1, 1), (4, 4), (5, 2), (2, 5))
    return lecture.crop(x, torch.empty(size)), center_crop(x, size)


@pair("05_fpn_unet", LABELS)
def on_border(lecture, given):
    y = given.labels(2, *given.one_of((1, 1), (1, 7), (4, 1), (5, 6)), below=3)
    theirs = [
        skimage.segmentation.find_boundaries(m, connectivity=1) for m in y.numpy()
    ]
    return lecture.on_border(y), np.stack(theirs)


@pair("05_fpn_unet", FLOATS)
def fpn(lecture, given):
    theirs = given.module(lecture.TorchvisionFPN([2, 3], 4))
    rules = {
        r"fpn\.inner_blocks\.(\d)\.0": r"lateral.\1",
        r"fpn\.layer_blocks\.(\d)\.0": r"smooth.\1",
    }
    ours = twin(lecture.FPN([2, 3], 4), theirs, rules)
    large, small = given.one_of(((4, 6), (2, 3)), ((7, 1), (4, 1)), ((1, 1), (1, 1)))
    maps = [given.numbers(2, 2, *large), given.numbers(2, 3, *small)]
    return [torch.cat([m.flatten() for m in f(maps)]) for f in (ours, theirs)]


# --- 06 and 07: gates, maps of a network ----------------------------------------------

MAPS = (0, 8, 3, 4), (1, 8, 1, 1), (2, 8, 7, 2)
GATE = {r"^fc": "gate.fc", "fc1": "W0", "fc2": "W1"}


@pair("06_attention", FLOATS)
def channel_gate(lecture, given):
    theirs = given.module(timm.layers.cbam.ChannelAttn(8, rd_ratio=1 / 4, rd_divisor=1))
    x = given.numbers(*given.one_of(*MAPS))
    ours = twin(lecture.Gated(lecture.ChannelGate(8, 4)), theirs, GATE)
    return ours(x), theirs(x)


@pair("06_attention", FLOATS)
def se_gate(lecture, given):
    theirs = given.module(ops.SqueezeExcitation(8, 2))
    x = given.numbers(*given.one_of(*MAPS))
    ours = twin(lecture.Gated(lecture.SEGate(8, 4, bias=True)), theirs, GATE)
    return ours(x), theirs(x)


@pair("06_attention", FLOATS)
def spatial_gate(lecture, given):
    theirs = given.module(timm.layers.cbam.SpatialAttn())
    rules = {r"^conv\.conv": "gate.conv", r"^conv\.bn": "gate.norm"}
    ours = lecture.Gated(lecture.SpatialGate(norm=nn.BatchNorm2d))
    x = given.numbers(*given.one_of(*MAPS))
    return twin(ours, theirs, rules)(x), theirs(x)


SIZES = (1, 1), (5, 9), (8, 3)
SCALES = 1e-4, 1, 1e3  # small ones are usual for gradients, large ones for logits


@pair("07_grad_cam", FLOATS)
def project(lecture, given):
    maps = given.numbers(given.one_of(0, 2), 4, 3, scale=given.one_of(0, *SCALES)).abs()
    size = given.one_of(*SIZES)
    heat = F.interpolate(maps[:, None].double(), size, mode="bilinear")[:, 0]
    return lecture.project(maps, size), (heat / heat.amax((1, 2), True)).nan_to_num()


@pair("07_grad_cam", FLOATS)
def energy_share(lecture, given):
    size = given.one_of((1, 1), (5, 9), (300, 250))
    heat = given.numbers(2, *size, scale=given.one_of(*SCALES)).abs()
    mask = given.numbers(2, *size) > 0
    theirs = [
        np.average(m, weights=h) for h, m in zip(heat.double(), mask, strict=True)
    ]
    return lecture.energy_share(heat, mask), theirs


@pair("07_grad_cam", FLOATS)
def pointing_hits(lecture, given):
    heat = given.numbers(given.one_of(0, 3), *given.one_of(*SIZES)).abs()
    mask = given.numbers(*heat.shape) > 0
    peaks = heat.flatten(1).double().numpy().argmax(1) if heat.numel() else []
    theirs = [m.flatten()[p].item() for m, p in zip(mask, peaks, strict=True)]
    return lecture.pointing_hits(heat, mask), theirs


@pair("07_grad_cam", FLOATS)
def centre(lecture, given):
    heat = given.numbers(2, *given.one_of(*SIZES), scale=given.one_of(*SCALES)).abs()
    return lecture.centre(heat), [
        scipy.ndimage.center_of_mass(h.double().numpy()) for h in heat
    ]


@pair("07_grad_cam", NUMBERS)
def ranks(lecture, given):
    maps = given.numbers(2, *given.one_of(*SIZES))
    if given.dtype != torch.uint8:  # what has no sign cannot be turned round
        maps = maps.round()  # with ties
    flat = -maps.flatten(1).double().numpy()
    theirs = scipy.stats.rankdata(flat, "ordinal", axis=1) - 1
    return lecture.ranks(maps), theirs.reshape(maps.shape)


@pair("07_grad_cam", FLOATS)
def blur(lecture, given):
    x, side = given.numbers(2, 3, *given.one_of((5, 5), (9, 4))), given.one_of(1, 3, 5)
    size = (1, 1, side, side)
    theirs = scipy.ndimage.uniform_filter(x.double().numpy(), size, mode="mirror")
    return lecture.blur(x, side), theirs


# --- 08 to 10: attention, windows, positions ------------------------------------------


@pair("08_self_attention", FLOATS)
def attention(lecture, given):
    shape = given.one_of((0, 2, 3, 4), (1, 1, 1, 1), (2, 3, 5, 4), (2, 64), (1, 0, 8))
    scale = given.one_of(1, 30)
    Q, K, V = (given.numbers(*shape, scale=scale) for _ in "qkv")
    N = shape[-2]
    mask = given.one_of(None, torch.ones(N, N, dtype=torch.bool).tril())
    theirs = F.scaled_dot_product_attention(Q, K, V, attn_mask=mask)
    return lecture.attention(Q, K, V, mask)[0], theirs


@pair("08_self_attention", FLOATS)
def multi_head_attention(lecture, given):
    theirs = given.module(nn.MultiheadAttention(6, 3, batch_first=True))
    rules = {"in_proj_": "in_proj."}
    x = given.numbers(*given.one_of((5, 6), (1, 1, 6), (0, 3, 6), (2, 7, 6)))
    ours = twin(lecture.MultiHeadAttention(6, 3), theirs, rules)
    return ours(x), theirs(x, x, x, need_weights=False)[0]


WINDOWS = (0, 4, 4, 2, 2), (1, 1, 1, 3, 1), (2, 6, 9, 1, 3), (1, 2, 8, 5, 2)


@pair("09_swin", NUMBERS)
def window_partition(lecture, given):
    B, H, W, C, M = given.one_of(*WINDOWS)
    x = given.numbers(B, H, W, C)
    theirs = timm_swin.window_partition(x, (M, M)).reshape(-1, M * M, C)
    return lecture.window_partition(x, M), theirs


@pair("09_swin", NUMBERS)
def window_reverse(lecture, given):
    B, H, W, C, M = given.one_of(*WINDOWS)
    x = given.numbers(B * H * W // M**2, M * M, C)
    theirs = timm_swin.window_reverse(x.view(-1, M, M, C), (M, M), H, W)
    return lecture.window_reverse(x, M, H, W), theirs


@pair("09_swin", FLOATS)
def swin_attention(lecture, given):
    M, shift = given.one_of((1, 0), (2, 1), (3, 1), (4, 2))
    layer = swin_transformer.ShiftedWindowAttention(8, [M, M], [shift, shift], 2)
    theirs = given.module(layer)
    rules = {"relative_position_bias_table": "bias_table"}
    x = given.numbers(given.one_of(0, 2), *given.one_of(*SIZES), 8)
    return twin(lecture.SwinAttention(8, 2, M, shift), theirs, rules)(x), theirs(x)


@pair("09_swin", FLOATS)
def patch_merging(lecture, given):
    theirs = given.module(swin_transformer.PatchMerging(3))
    x = given.numbers(given.one_of(0, 2), *given.one_of(*SIZES), 3)
    return twin(lecture.PatchMerging(3), theirs)(x), theirs(x)


@pair("09_swin", FLOATS)
def neighbourhood(lecture, given):
    k, dilation, size = given.one_of((1, 1, (1, 1)), (3, 1, (3, 5)), (3, 2, (7, 6)))
    ours = given.module(lecture.NeighborhoodAttention(8, 2, k, dilation))
    x = given.numbers(given.one_of(0, 2), *size, 8)
    return ours(x), lecture.DenseWithMask(ours)(x)


@pair("10_positional_encoding", FLOATS)
def rotate(lecture, given):
    x = given.numbers(*given.one_of((0, 3, 4), (1, 2), (2, 3, 7, 8), (2, 0, 6)))
    N, d = x.shape[-2:]
    angles = torch.arange(N)[:, None] * 1e4 ** (-torch.arange(0, d, 2) / d)
    turns = torch.polar(torch.ones_like(angles), angles)
    complex_ = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)))
    return lecture.rotate(x), torch.view_as_real(complex_ * turns).flatten(-2)


@pair("10_positional_encoding", FLOATS)
def attention_without_heads(lecture, given):
    name = given.one_of("Attention", "CausalAttention")
    ours = given.module(getattr(lecture, name)(6))
    x = given.numbers(*given.one_of((0, 3, 6), (1, 1, 6), (2, 7, 6), (2, 0, 6)))
    theirs = F.scaled_dot_product_attention(
        *ours.qkv(x).chunk(3, -1), is_causal=name == "CausalAttention"
    )
    return ours(x), ours.out(theirs)


@pair("10_positional_encoding", FLOATS)
def patches(lecture, given):
    image = given.numbers(3, *given.one_of((2, 2), (4, 6), (8, 2)))
    theirs = F.pixel_unshuffle(image, 2).flatten(1).mT[None]
    return lecture.to_patches(image, 2), theirs


# --- 11 and 12: a network by hand, what a network has seen ----------------------------


@pair("11_mnist_activations", NUMBERS)
def conv_same(lecture, given):
    x = given.numbers(given.one_of(0, 2), 3, *given.one_of(*SIZES))
    k = given.one_of(1, 2, 3, 5)
    weight, bias = given.numbers(4, 3, k, k), given.numbers(4)
    ours = lecture.conv_same(x.movedim(1, -1), weight.permute(2, 3, 1, 0), bias)
    return ours.movedim(-1, 1), F.conv2d(x, weight, bias, padding="same")


@pair("11_mnist_activations", NUMBERS)
def pool_same(lecture, given):
    x = given.numbers(given.one_of(0, 2), 3, *given.one_of(*SIZES))
    x = x - 9 if given.dtype != torch.uint8 else x  # zeros of the padding would win
    ours = lecture.pool_same(x.movedim(1, -1)).movedim(-1, 1)
    return ours, F.max_pool2d(x, 2, ceil_mode=True)


@pair("12_real_transformer", PRECISE)
def components(lecture, given):
    tokens = given.one_of(
        given.numbers(20, 7),
        given.numbers(4, 3),
        torch.tensor([[0, 1], [1, 0], [2, -1]]),
    ).to(given.dtype)
    k = given.one_of(1, 2)
    theirs = sklearn.decomposition.PCA(k).fit_transform(tokens.numpy())
    return lecture.components(tokens, k).abs(), abs(theirs)  # signs are free


@pair("12_real_transformer", NUMBERS)
def auc(lecture, given):
    name = given.one_of(*lecture.SUBJECTS)
    heat = given.one_of(
        given.numbers(256), given.numbers(1).expand(256)
    )  # and a flat one
    inside = lecture.covered(lecture.SUBJECTS[name], 16).flatten() > 0.5
    theirs = sklearn.metrics.roc_auc_score(inside, heat.double())
    return lecture.auc(heat, name), max(theirs, 1 - theirs)


@pytest.mark.parametrize(("notebook", "function", "dtype"), PAIRS)
@settings(deadline=None, max_examples=12, derandomize=True)
@given(data=st.data())
def test_ours_is_the_library(notebook, function, dtype, data):
    with torch.no_grad():
        ours, theirs = function(lecture(notebook), Given(data, dtype))
    close(ours, theirs, dtype)


@pytest.mark.parametrize(
    ("notebook", "call", "advice"),
    [
        ("02_vgg", 'meta_vgg("A")(torch.empty(1, 3, 256, 256))', "224×224"),
        ("02_vgg", 'meta_vgg("D")(torch.empty(1, 3, 224, 96))', "224×224"),
        ("03_googlenet", "GoogLeNet()(torch.zeros(1, 3, 96, 96))", "paper=False"),
        ("03_googlenet", "GoogLeNet()(torch.zeros(1, 3, 64, 224))", "224×224"),
        ("05_fpn_unet", "crop(torch.zeros(3, 4), torch.zeros(4, 4))", "не меньше"),
        (
            "08_self_attention",
            "PatchEmbedding(8, 4, 2)(torch.zeros(1, 3, 16, 4))",
            "сторона 8",
        ),
        (
            "10_positional_encoding",
            "ShiftedEncoding(4, 3)(torch.zeros(1, 4, 4))",
            "max_",
        ),
    ],
)
def test_what_takes_less_than_the_library_says_what_to_do(notebook, call, advice):
    with pytest.raises(ValueError, match=advice):
        eval(call, lecture(notebook).names)


# --- gradients of every module --------------------------------------------------------

# How to build it: the shape of its input; a list means digits, or several maps.
MODULES = {
    "01_tasks": {"SRCNN(2, 3)": (1, 1, 5, 4)},
    "03_googlenet": {
        "DensePerPixel(3, 4)": (2, 3, 2, 5),
        "Naive(3, 2, 2, 2, 2)": (2, 3, 4, 5),
        "ConvUnit(3, 4, 3, bn=True)": (2, 3, 2, 5),
        "GoogLeNet(paper=True, classes=3)": (1, 3, 32, 48),
        "AuxHead(3, 4, paper=True)": (1, 3, 14, 16),
        "AllHeads(DeepNet(bn=False).train())": (2, 1, 8, 8),
    },
    "04_resnet": {
        "Block(2, skip=1)": (2, 2, 3, 4),
        "Hidden(skip=1)": (3, 5),
        "BasicBlock(2, 3, 2)": (2, 2, 3, 4),
        "Bottleneck(2, 1, 2)": (2, 2, 3, 4),
        "ResNet(BasicBlock, (1, 1, 1, 1), 3)": (1, 3, 17, 20),
        "EfficientNetLite0(3)": (1, 3, 17, 20),
    },
    "05_fpn_unet": {
        "FPN((2, 3), 2)": [(1, 2, 4, 5), (1, 3, 2, 3)],
        "Detector('b', 2, C=2)": (1, 3, 64, 32),
        "Detector('d', 2, C=2)": (1, 3, 32, 64),
        "UNet(1, 2, C=2, depth=1)": (1, 1, 20, 22),
        "Nested(1, 2, 1, double_conv)": (1, 1, 4, 6),
        "UpConv(2, 3)": (1, 2, 3, 2),
    },
    "06_attention": {
        "CBAM(4, 2)": (2, 4, 3, 5),
        "Gated(SEGate(4, 2))": (2, 4, 3, 5),
        "Block(2, 4, CBAM(4, 2))": (2, 2, 3, 5),
        "OneKernel(LKA(2))": (1, 2, 5, 3),
        "LKA(2)": (1, 2, 5, 3),
    },
    "07_grad_cam": {"QuiltBlock(4, 'с CBAM')": (1, 4, 3, 5)},
    "08_self_attention": {
        "Ours()": (3, 2, 2, 3, 4),
        "OurMHA(4, 2)": (2, 3, 4),
        "Reverser(N=3, d=4)": [2, 3],
        "ViT(8, 4, 4, 2, 1, 8, 3)": (2, 3, 8, 8),
    },
    "09_swin": {
        "GlobalAttention(4, 2)": (2, 2, 3, 4),
        "PlainWindows(4, 2, 2)": (1, 2, 4, 4),
        "AxisShift(4, 2, 2, 1)": (1, 2, 4, 4),
        "RegionByRegion(WindowAttention(4, 2, 2, 1))": (1, 3, 4, 4),
        "Copier('relative', C=2)": (1, 4, 4, 6),
        "Swin(4, (1, 2), 1, 2)": (1, 3, 12, 20),
        "SplitQKV(3)": (2, 4, 3),
        "NeighborhoodAttention(4, 2, 3)": (1, 3, 4, 4),
        "QueryByQuery(NeighborhoodAttention(4, 2, 1))": (1, 1, 2, 4),
    },
    "10_positional_encoding": {
        "LearnedEncoding(4, 5)": (2, 3, 4),
        "ShiftedEncoding(4, 5)": (2, 3, 4),
        "RelativeAttention(4)": (2, 3, 4),
        "RotaryAttention(4)": (2, 3, 4),
        "CausalAttention(4)": (2, 3, 4),
        "Rotary()": (2, 2, 3, 4),
        "Net(5, 3, PositionalEncoding(4), Attention(4), nn.Identity(), 4)": [2, 3],
    },
    "11_mnist_activations": {"ChannelsLast(digit_net())": (1, 1, 28, 28)},
    "12_real_transformer": {"ViT()": (2, 3, 8, 8)},
}
NO_OWN_GRADIENT = {  # a reference in a wrapper, a mistake made on purpose, no `forward`
    "01_tasks": {"VAE"},
    "02_vgg": {"VGG"},  # layers of torch in a row, a gigabyte of them
    "05_fpn_unet": {"Backbone", "TorchvisionFPN", "Joined"},
    "06_attention": {
        "TwoMeans",
        "FixedPool",
        "NoSigmoid",
        "TwoMLPs",
        "Softmax",
        "Open",
    },
    "08_self_attention": {"Library", "LibraryMHA"},
    "09_swin": {"PadAfterRoll", "DenseWithMask"},
    "10_positional_encoding": {"MarianEncoding", "LlamaRotary"},
    "12_real_transformer": {"Tokens"},
}
NAMES = {  # small sizes, and what a notebook assigns
    "04_resnet": {"STAGES": ((2, 3, 2, 4), (1, 5, 1, 320))},
    "05_fpn_unet": {"unit": functools.partial(ops.Conv2dNormActivation, kernel_size=3)},
    "12_real_transformer": {"DIM": 4, "HEADS": 2, "PATCH": 4, "GRID": 2, "DEPTH": 1},
}
FEW = 5_000  # parameters whose gradients are checked, too


def built(notebook: str, how: str, monkeypatch) -> nn.Module:
    torch.manual_seed(0)
    for name, value in NAMES.get(notebook, {}).items():
        monkeypatch.setitem(lecture(notebook).names, name, value)
    return eval(how, lecture(notebook).names)


@pytest.mark.parametrize(
    ("notebook", "how"), [(name, how) for name in MODULES for how in MODULES[name]]
)
def test_gradients_are_those_of_finite_differences(notebook, how, monkeypatch):
    shape = MODULES[notebook][how]
    module = built(notebook, how, monkeypatch)
    if "train" not in how:
        module.eval()
    parameters = dict(module.named_parameters())
    for parameter in parameters.values():  # nothing stands on the edge of a ReLU
        parameter.data += 0.1 * torch.randn_like(parameter)
    if sum(p.numel() for p in parameters.values()) > FEW:
        parameters = {}
    if isinstance(shape, tuple):
        inputs = [torch.randn(shape, requires_grad=True)]
    elif isinstance(shape[0], tuple):
        inputs = [torch.randn(s, requires_grad=True) for s in shape]
    else:
        inputs = [torch.randint(3, shape)]

    def output(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        x, weights = tensors[: len(inputs)], tensors[len(inputs) :]
        x = list(x) if len(x) > 1 else x[0]
        state = dict(zip(parameters, weights, strict=True))
        y = torch.func.functional_call(module, state, (x,))
        return tuple(y) if isinstance(y, list) else y

    given = (*inputs, *parameters.values())
    torch.autograd.gradcheck(output, given, fast_mode=True)


@pytest.mark.parametrize("notebook", [path.stem for path in notebooks()])
def test_no_module_is_forgotten(notebook, monkeypatch):
    own = {
        name
        for name, thing in vars(lecture(notebook)).items()
        if isinstance(thing, type)
        and issubclass(thing, nn.Module)
        and thing.__module__ == "builtins"  # where the code of a notebook lives here
    }
    checked = {
        base.__name__
        for how in MODULES.get(notebook, {})
        for module in built(notebook, how, monkeypatch).modules()
        for base in type(module).__mro__
    }
    exempt = NO_OWN_GRADIENT.get(notebook, set())
    assert own <= checked | exempt, own - checked - exempt
    assert exempt <= own, exempt - own
