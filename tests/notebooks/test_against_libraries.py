"""What notebooks write from scratch takes what the libraries take.

Own functions and their libraries meet in every dtype that makes sense, on nothing, on
one element, on extremes, on shapes that are not square. Every module meets gradcheck.
"""

import functools
import inspect
import itertools
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import skimage.metrics
import skimage.segmentation
import sklearn.decomposition
import sklearn.linear_model
import sklearn.metrics
import sklearn.neighbors
import sklearn.preprocessing
import sklearn.utils
import timm
import torch
import torch.nn.functional as F
import torchmetrics.detection
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from timm.models import swin_transformer as timm_swin
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence
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
LABELS = torch.int8, torch.uint8, torch.int16, torch.int64
NUMBERS = *FLOATS, torch.int8, torch.uint8, torch.int64
# Views of a larger tensor, and what no number is.
ODD = "nan", "inf"
LAYOUTS = "plain", "every second", "transposed", "expanded", *ODD


class Given:
    """Choices of one example, and tensors that depend on nothing but them."""

    def __init__(self, data: st.DataObject, dtype: torch.dtype, pair: "Pair"):
        self.data, self.dtype, self.pair = data, dtype, pair
        self.generator = torch.Generator().manual_seed(0)
        self.layout = self.one_of(*(x for x in LAYOUTS if x not in pair.refuses))
        self.inputs: list[tuple[Tensor, Tensor]] = []  # and what they held

    def one_of(self, *choices: Any) -> Any:
        return self.data.draw(st.sampled_from(choices))

    def numbers(self, *shape: int, scale: float = 1) -> Tensor:
        """Normal numbers, or all that an integer can be, up to bytes."""
        if not self.dtype.is_floating_point:
            return self.labels(*shape, below=min(256, torch.iinfo(self.dtype).max + 1))
        x = (scale * torch.randn(shape, generator=self.generator)).to(self.dtype)
        return self.laid_out(x)

    def labels(self, *shape: int, below: int) -> Tensor:
        x = torch.randint(below, shape, generator=self.generator)
        return self.laid_out(x.to(self.dtype))

    def boxes(self, n: int) -> Tensor:
        least = self.dtype in (torch.int8, torch.uint8)
        side = 100 if least else self.one_of(100, 1, 20_000)
        points = side * torch.rand(n, 2, 2, generator=self.generator)
        boxes = torch.cat([points.amin(1), points.amax(1)], 1)
        return self.laid_out(boxes.to(self.dtype))

    def laid_out(self, x: Tensor) -> Tensor:
        """The input as this example holds it, noted to be compared later."""
        if self.layout == "every second":
            x = torch.stack([x, x], -1)[..., 0]
        elif self.layout == "transposed" and x.ndim > 1:
            x = x.mT.contiguous().mT
        elif self.layout == "expanded" and x.ndim and len(x):
            x = x[:1].expand_as(x)
        elif self.layout in ("nan", "inf") and x.numel() and x.is_floating_point():
            x = x.clone()
            x.view(-1)[-1] = float(self.layout)
        x.requires_grad_(self.pair.gradient and x.is_floating_point())
        self.inputs.append((x, x.detach().clone()))
        return x

    @torch.no_grad()
    def module(self, module: nn.Module) -> nn.Module:
        """The reference in this dtype, with all its numbers random."""
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=self.generator) - 0.4)
                tensor.abs_() if tensor.ndim == 1 else None  # a variance, too
        return module.to(self.dtype).eval()


class Pair(NamedTuple):
    """A function that returns what ours and what the library's gives."""

    notebook: str
    function: Callable[[SimpleNamespace, Given], tuple[Any, Any]]
    gradient: bool  # compare the gradients of the inputs, too
    refuses: tuple[str, ...]  # layouts that the library does not take


PAIRS: list = []


def pair(
    notebook: str,
    dtypes: tuple[torch.dtype, ...],
    gradient: bool = False,
    refuses: tuple[str, ...] = (),
) -> Callable:
    def note(function: Callable) -> Callable:
        for dtype in dtypes:
            name = f"{notebook[:2]}-{function.__name__}-{str(dtype)[6:]}"
            entry = Pair(notebook, function, gradient, refuses)
            PAIRS.append(pytest.param(entry, dtype, id=name))
        return function

    return note


def close(ours: Any, theirs: Any, dtype: torch.dtype, roundings: int = 16) -> None:
    """Equal up to some roundings of the dtype, in units of the largest number."""
    ours, theirs = (torch.as_tensor(x).detach().double() for x in (ours, theirs))
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    scale = max(theirs[theirs.isfinite()].abs().flatten().tolist(), default=0)
    eps = torch.finfo(dtype if dtype.is_floating_point else torch.float64).eps
    torch.testing.assert_close(
        ours, theirs, rtol=0, atol=roundings * eps * scale, equal_nan=True
    )


# --- 01: boxes, maps, pictures --------------------------------------------------------
# The libraries count boxes of any type in wider numbers, and so in float64 here.


@pair("01_tasks", NUMBERS, gradient=True)
def area(lecture, given):
    boxes = given.boxes(given.one_of(0, 1, 7))
    return lecture.area(boxes), ops.box_area(boxes.double())


@pair("01_tasks", NUMBERS, gradient=True)
def iou(lecture, given):
    a, b = (given.boxes(given.one_of(0, 1, 7)) for _ in "ab")
    return lecture.iou(a, b), ops.box_iou(a.double(), b.double())


@pair("01_tasks", NUMBERS, gradient=True)
def giou(lecture, given):
    a, b = (given.boxes(given.one_of(0, 1, 7)) for _ in "ab")
    theirs = ops.generalized_box_iou(a.double(), b.double())
    return lecture.giou(a, b), theirs


@pair("01_tasks", (*FLOATS, torch.int64), gradient=True)
def box_convert(lecture, given):
    boxes = given.boxes(given.one_of(0, 1, 7))
    boxes = given.one_of(boxes, boxes[:1].squeeze(0))  # one box, too
    ours, source, target = given.one_of(
        (lecture.xyxy_to_cxcywh, "xyxy", "cxcywh"),
        (lecture.cxcywh_to_xyxy, "cxcywh", "xyxy"),
        (lecture.xyxy_to_xywh, "xyxy", "xywh"),
        (lecture.xywh_to_xyxy, "xywh", "xyxy"),
    )
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
    shape = given.one_of((0, 5), (), (1, 1), (3, 7))
    K = min(given.one_of(2, 19, 200), torch.iinfo(given.dtype).max)
    predicted, true = (given.labels(*shape, below=K) for _ in "pt")
    ours = lecture.mean_iou(predicted, true, K)
    there = torch.stack([true, predicted]).unique()
    if not len(there):
        return ours, np.nan
    flat = true.flatten(), predicted.flatten()
    return ours, sklearn.metrics.jaccard_score(*flat, labels=there, average="macro")


@pair("01_tasks", FLOATS, refuses=ODD)
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
    shape = given.one_of((), (1,), (3, 5))
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


@pair("01_tasks", FLOATS, refuses=ODD)
def box_corners(lecture, given):
    boxes = given.numbers(given.one_of(1, 4), 7)
    signs = np.array([*itertools.product((-0.5, 0.5), repeat=3)])[:, ::-1]
    theirs = [
        Rotation.from_euler("y", box[6]).apply(signs * box[3:6]) + box[:3]
        for box in boxes.double().numpy()
    ]
    return lecture.box_corners(boxes), np.stack(theirs)


@pair("01_tasks", NUMBERS)
def cut_patches(lecture, given):
    x = given.numbers(given.one_of(0, 1, 2), 1, *given.one_of((4, 4), (8, 4), (4, 12)))
    theirs = F.pixel_unshuffle(x.double(), 4).movedim(1, -1).reshape(-1, 1, 4, 4)
    return lecture.patches(x.double(), 4), theirs


@pair("01_tasks", PRECISE, gradient=True, refuses=ODD)
def vae_loss(lecture, given):
    net = given.module(lecture.VAE(2, 3))
    x = given.numbers(given.one_of(1, 5), 64).sigmoid()
    mean, log_variance = net.encode(x)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(1))
    code = Normal(mean, (log_variance / 2).exp())
    logits = net.decoder(code.mean + code.stddev * noise.to(given.dtype))
    restore = -Bernoulli(logits=logits, validate_args=False).log_prob(x).sum(1)
    theirs = restore + kl_divergence(code, Normal(0.0, 1.0)).sum(1)
    generator = torch.Generator().manual_seed(1)
    torch.set_default_dtype(given.dtype)  # of the noise
    ours = lecture.vae_loss(net, x, generator)
    torch.set_default_dtype(torch.float64)
    return ours, theirs.mean()


@pair("01_tasks", PRECISE, refuses=ODD)
def to_nearest(lecture, given):
    pictures, real = (given.numbers(given.one_of(1, 6), 5) for _ in "pr")
    model = sklearn.neighbors.NearestNeighbors(n_neighbors=1).fit(real)
    return lecture.to_nearest(pictures, real), model.kneighbors(pictures)[0].mean()


# --- 02 and 03: networks of convolutions ----------------------------------------------


@pair("02_vgg", PRECISE, gradient=True)
def lrn(lecture, given):
    a = given.numbers(
        *given.one_of((0, 5, 2, 2), (1, 1, 1, 1), (2, 7, 3, 1), (1, 5, 0, 3)),
        scale=given.one_of(1, 1e4),
    )
    n = given.one_of(1, 2, 5, 9)
    return lecture.lrn(a, n), F.local_response_norm(a, n, 1e-4 * n, 0.75, k=2)


@pair("02_vgg", NUMBERS, refuses=("expanded", *ODD))
def nearest_mean(lecture, given):
    x, new = given.numbers(9, 3), given.numbers(given.one_of(1, 5), 3)
    labels = torch.tensor(given.one_of([0, 1, 2], [7, 3, 3], [5, 9, -1]) * 3)
    model = sklearn.neighbors.NearestCentroid().fit(x.double(), labels)
    return lecture.nearest_mean(x, labels, new), model.predict(new.double())


@pair("03_googlenet", FLOATS, gradient=True)
def dense_per_pixel(lecture, given):
    x = given.numbers(*given.one_of((0, 3, 4, 5), (1, 3, 1, 1), (2, 3, 4, 7)))
    conv = given.module(nn.Conv2d(3, 5, 1))
    dense = nn.Linear(3, 5)
    dense.weight = nn.Parameter(conv.weight.flatten(1))
    dense.bias = conv.bias
    ours = twin(lecture.DensePerPixel(3, 5), conv)(x)
    loop = lecture.dense_at_every_pixel(x, dense)
    return torch.stack([ours, loop]), torch.stack([conv(x)] * 2)


@pair("03_googlenet", PRECISE, refuses=ODD)
def reduce_and_expand(lecture, given):
    x = given.numbers(1, *given.one_of((6, 5, 7), (4, 1, 9), (2, 1, 2)))
    r = given.one_of(1, 2)
    pixels = x[0].flatten(1).T.numpy()
    pca = sklearn.decomposition.PCA(r).fit(pixels)
    theirs = torch.tensor(pca.inverse_transform(pca.transform(pixels)))
    # The nearer the next singular value, the more roundings turn the directions.
    s = torch.linalg.svdvals(torch.tensor(pixels - pixels.mean(0)))
    turned = s[0] / (s[r - 1] - s[r]) if r < len(s) else 1
    scale = turned * theirs.abs().max()
    ours = lecture.reduce_and_expand(x, r)[1].view_as(x)
    return [scale, *ours.flatten()], [scale, *theirs.T.flatten()]


@pair("03_googlenet", PRECISE, refuses=("expanded", *ODD))
def lost_share(lecture, given):
    x, r = given.numbers(1, *given.one_of((6, 5, 7), (4, 1, 9))), given.one_of(1, 2)
    pca = sklearn.decomposition.PCA().fit(x[0].flatten(1).T.numpy())
    theirs = pca.explained_variance_ratio_[r:].sum()
    return [1, lecture.lost_share(x, r)], [1, theirs]


@pair("03_googlenet", FLOATS, gradient=True)
def depth_concat(lecture, given):
    B = given.one_of(0, 1, 2)
    sides = given.one_of(((4, 4), (4, 4)), ((1, 1), (8, 3)), ((7, 2), (4, 9)))
    maps = [given.numbers(B, 2, *size) for size in sides]
    size = [max(side) for side in zip(*sides, strict=True)]
    return lecture.depth_concat(maps), torch.cat(
        [center_crop(m, size) for m in maps], 1
    )


# --- 04 and 05: residual networks, FPN, U-Net -----------------------------------------


@pair("04_resnet", FLOATS, gradient=True)
def same_conv(lecture, given):
    k, stride = given.one_of((1, 2), (3, 1), (3, 2), (5, 2))
    conv = given.module(timm.layers.Conv2dSame(2, 3, k, stride, bias=False))
    x = given.numbers(given.one_of(0, 2), 2, *given.one_of((1, 1), (5, 8), (7, 2)))
    return twin(lecture.SameConv2d(2, 3, k, stride), conv)(x), conv(x)


@pair("05_fpn_unet", (*FLOATS, torch.uint8), gradient=True)
def upsample(lecture, given):
    x = given.numbers(given.one_of(1, 2), 3, *given.one_of((1, 1), (3, 4), (5, 2)))
    size = given.one_of((1, 1), (7, 9), (6, 8))
    like = torch.empty(1, 1, *size)
    return lecture.upsample(x, like), nn.UpsamplingNearest2d(size)(x)


@pair("05_fpn_unet", NUMBERS, gradient=True)
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


@pair("05_fpn_unet", (torch.int64,))
def balance(lecture, given):
    labels = given.labels(given.one_of(1, 4), 3, *given.one_of((4, 4), (5, 9)), below=3)
    labels = labels.masked_fill(labels == given.one_of(-1, 1), -100)
    labels[..., 0, :3] = torch.arange(3)  # the library takes no empty class
    weights = [
        sklearn.utils.compute_class_weight(
            "balanced", classes=np.arange(3), y=part[part >= 0].numpy()
        )
        for part in labels.unbind(1)
    ]
    return lecture.balance(labels), [w / w.mean() for w in weights]


@pair("05_fpn_unet", FLOATS, gradient=True)
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
SPATIAL = {r"l\.conv\.conv": "l.conv", r"l\.conv\.bn": "l.norm"}


@pair("06_attention", FLOATS, gradient=True)
def channel_gate(lecture, given):
    theirs = given.module(timm.layers.cbam.ChannelAttn(8, rd_ratio=1 / 4, rd_divisor=1))
    x = given.numbers(*given.one_of(*MAPS))
    ours = twin(lecture.Gated(lecture.ChannelGate(8, 4)), theirs, GATE)
    return ours(x), theirs(x)


@pair("06_attention", FLOATS, gradient=True)
def se_gate(lecture, given):
    theirs = given.module(ops.SqueezeExcitation(8, 2))
    x = given.numbers(*given.one_of(*MAPS))
    ours = twin(lecture.Gated(lecture.SEGate(8, 4, bias=True)), theirs, GATE)
    return ours(x), theirs(x)


@pair("06_attention", FLOATS, gradient=True)
def spatial_gate(lecture, given):
    theirs = given.module(timm.layers.cbam.SpatialAttn())
    rules = {r"^conv\.conv": "gate.conv", r"^conv\.bn": "gate.norm"}
    ours = lecture.Gated(lecture.SpatialGate(norm=nn.BatchNorm2d))
    x = given.numbers(*given.one_of(*MAPS))
    return twin(ours, theirs, rules)(x), theirs(x)


@pair("06_attention", FLOATS, gradient=True)
def cbam(lecture, given):
    module = timm.layers.cbam.CbamModule(8, rd_ratio=1 / 4, rd_divisor=1)
    theirs = given.module(module)
    rules = SPATIAL | {"fc1": "W0", "fc2": "W1"}
    x = given.numbers(*given.one_of(*MAPS))
    return twin(lecture.CBAM(8, 4, nn.BatchNorm2d), theirs, rules)(x), theirs(x)


@pair("06_attention", FLOATS, refuses=ODD)
def concentration(lecture, given):
    gate = given.numbers(given.one_of(1, 3), *given.one_of((2, 2), (5, 9))).abs() + 1
    mask = torch.rand(gate.shape, generator=given.generator) < 0.5
    mask[:, 0, 0] = True
    theirs = [
        np.average(m, weights=g) / m.double().mean()
        for g, m in zip(gate.double(), mask, strict=True)
    ]
    return lecture.concentration(gate, mask), theirs


@pair("06_attention", FLOATS, refuses=("expanded", *ODD))
def eta_squared(lecture, given):
    gate, y = given.numbers(40, 5), torch.arange(40) % given.one_of(2, 4)
    means = torch.stack([gate[y == k].double().mean(0) for k in y.unique()])
    theirs = sklearn.metrics.r2_score(
        gate.double(), means[y], multioutput="variance_weighted"
    )
    return [1, lecture.eta_squared(gate, y)], [1, theirs]


SIZES = (1, 1), (5, 9), (8, 3)
SCALES = 1e-4, 1, 1e3  # small ones are usual for gradients, large ones for logits


@pair("07_grad_cam", FLOATS)
def project(lecture, given):
    maps = given.numbers(given.one_of(0, 2), 4, 3, scale=given.one_of(0, *SCALES)).abs()
    size = given.one_of(*SIZES)
    heat = F.interpolate(maps[:, None].double(), size, mode="bilinear")[:, 0]
    peak = heat.amax((1, 2), True)
    return lecture.project(maps, size), heat / peak.where(peak != 0, 1)


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


@pair("07_grad_cam", NUMBERS, refuses=("nan",))
def ranks(lecture, given):
    maps = given.numbers(2, *given.one_of(*SIZES))
    if given.dtype != torch.uint8:  # what has no sign cannot be turned round
        maps = maps.round()  # with ties
    flat = -maps.flatten(1).double().numpy()
    theirs = scipy.stats.rankdata(flat, "ordinal", axis=1) - 1
    return lecture.ranks(maps), theirs.reshape(maps.shape)


@pair("07_grad_cam", FLOATS)
def box_blur(lecture, given):
    x, side = given.numbers(2, 3, *given.one_of((5, 5), (9, 4))), given.one_of(1, 3, 5)
    size = (1, 1, side, side)
    theirs = scipy.ndimage.uniform_filter(x.double().numpy(), size, mode="mirror")
    return lecture.box_blur(x, side), theirs


# --- 08 to 10: attention, windows, positions ------------------------------------------


@pair("08_self_attention", FLOATS, gradient=True, refuses=ODD)
def attention(lecture, given):
    shape = given.one_of((0, 2, 3, 4), (1, 1, 1, 1), (2, 3, 5, 4), (2, 64), (1, 0, 8))
    # In float16 products of thousands are larger than any number.
    scale = given.one_of(1, 10, 2_000 if given.dtype == torch.float16 else 1)
    Q, K, V = (given.numbers(*shape, scale=scale) for _ in "qkv")
    N = shape[-2]
    mask = given.one_of(None, torch.ones(N, N, dtype=torch.bool).tril())
    theirs = F.scaled_dot_product_attention(Q, K, V, attn_mask=mask)
    return lecture.attention(Q, K, V, mask)[0], theirs


@pair("08_self_attention", FLOATS, gradient=True)
def multi_head_attention(lecture, given):
    theirs = given.module(nn.MultiheadAttention(6, 3, batch_first=True))
    rules = {"in_proj_": "in_proj."}
    x = given.numbers(*given.one_of((5, 6), (1, 1, 6), (0, 3, 6), (2, 7, 6)))
    ours = twin(lecture.MultiHeadAttention(6, 3), theirs, rules)
    return ours(x), theirs(x, x, x, need_weights=False)[0]


WINDOWS = (0, 4, 4, 2, 2), (1, 1, 1, 3, 1), (2, 6, 9, 1, 3), (1, 2, 8, 5, 2)


@pair("09_swin", NUMBERS, gradient=True)
def window_partition(lecture, given):
    B, H, W, C, M = given.one_of(*WINDOWS)
    x = given.numbers(B, H, W, C)
    theirs = timm_swin.window_partition(x, (M, M)).reshape(-1, M * M, C)
    return lecture.window_partition(x, M), theirs


@pair("09_swin", NUMBERS, gradient=True)
def window_reverse(lecture, given):
    B, H, W, C, M = given.one_of(*WINDOWS)
    x = given.numbers(B * H * W // M**2, M * M, C)
    theirs = timm_swin.window_reverse(x.view(-1, M, M, C), (M, M), H, W)
    return lecture.window_reverse(x, M, H, W), theirs


@pair("09_swin", FLOATS, gradient=True)
def swin_attention(lecture, given):
    M, shift = given.one_of((1, 0), (2, 1), (3, 1), (4, 2))
    layer = swin_transformer.ShiftedWindowAttention(8, [M, M], [shift, shift], 2)
    theirs = given.module(layer)
    rules = {"relative_position_bias_table": "bias_table"}
    x = given.numbers(given.one_of(0, 2), *given.one_of(*SIZES), 8)
    return twin(lecture.SwinAttention(8, 2, M, shift), theirs, rules)(x), theirs(x)


@pair("09_swin", FLOATS, gradient=True, refuses=ODD)
def attention_everywhere(lecture, given):
    name = given.one_of("GlobalAttention(8, 2)", "PlainWindows(8, 2, 3)")
    ours = given.module(eval(name, vars(lecture)))
    x = given.numbers(given.one_of(0, 1, 2), 3, 3, 8)
    theirs = F.scaled_dot_product_attention(*ours.heads(x.flatten(1, 2)))
    return ours(x), ours.proj(theirs.transpose(1, 2).flatten(2)).view(x.shape)


@pair("09_swin", FLOATS, gradient=True)
def patch_merging(lecture, given):
    theirs = given.module(swin_transformer.PatchMerging(3))
    x = given.numbers(given.one_of(0, 2), *given.one_of(*SIZES), 3)
    return twin(lecture.PatchMerging(3), theirs)(x), theirs(x)


@pair("09_swin", FLOATS, gradient=True, refuses=ODD)
def neighbourhood(lecture, given):
    k, dilation, size = given.one_of((1, 1, (1, 1)), (3, 1, (3, 5)), (3, 2, (7, 6)))
    ours = given.module(lecture.NeighborhoodAttention(8, 2, k, dilation))
    x = given.numbers(given.one_of(0, 2), *size, 8)
    return ours(x), lecture.DenseWithMask(ours)(x)


@pair("10_positional_encoding", FLOATS, gradient=True)
def rotate(lecture, given):
    x = given.numbers(*given.one_of((0, 3, 4), (1, 2), (2, 3, 7, 8), (2, 0, 6)))
    N, d = x.shape[-2:]
    angles = torch.arange(N)[:, None] * 1e4 ** (-torch.arange(0, d, 2) / d)
    turns = torch.polar(torch.ones_like(angles), angles)
    pairs = x.double().unflatten(-1, (-1, 2)).contiguous()
    complex_ = torch.view_as_complex(pairs)
    return lecture.rotate(x), torch.view_as_real(complex_ * turns).flatten(-2)


@pair("10_positional_encoding", FLOATS, gradient=True, refuses=ODD)
def attention_without_heads(lecture, given):
    name = given.one_of(
        "Attention", "CausalAttention", "RelativeAttention", "RotaryAttention"
    )
    ours = given.module(getattr(lecture, name)(6))
    x = given.numbers(*given.one_of((0, 3, 6), (1, 1, 6), (2, 7, 6), (2, 0, 6)))
    q, k, v = ours.qkv(x).chunk(3, -1)
    if name == "RotaryAttention":
        q, k = lecture.rotate(q), lecture.rotate(k)
    N = x.shape[1]
    bias = lecture.relative_bias(ours.b, N) if name == "RelativeAttention" else None
    theirs = F.scaled_dot_product_attention(
        q, k, v, bias, is_causal=name == "CausalAttention"
    )
    return ours(x), ours.out(theirs)


@pair("10_positional_encoding", FLOATS, gradient=True)
def patches(lecture, given):
    image = given.numbers(3, *given.one_of((2, 2), (4, 6), (8, 2)))
    theirs = F.pixel_unshuffle(image, 2).flatten(1).mT[None]
    return lecture.to_patches(image, 2), theirs


# --- 11 and 12: a network by hand, what a network has seen ----------------------------


@pair("11_mnist_activations", NUMBERS, gradient=True, refuses=ODD)
def conv_same(lecture, given):
    x = given.numbers(given.one_of(0, 2), 3, *given.one_of(*SIZES))
    k = given.one_of(1, 2, 3, 5)
    weight, bias = given.numbers(4, 3, k, k), given.numbers(4)
    ours = lecture.conv_same(x.movedim(1, -1), weight.permute(2, 3, 1, 0), bias)
    return ours.movedim(-1, 1), F.conv2d(x, weight, bias, padding="same")


@pair("11_mnist_activations", NUMBERS, gradient=True)
def pool_same(lecture, given):
    x = given.numbers(given.one_of(0, 2), 3, *given.one_of(*SIZES))
    x = x - 9 if given.dtype != torch.uint8 else x  # zeros of the padding would win
    ours = lecture.pool_same(x.movedim(1, -1)).movedim(-1, 1)
    return ours, F.max_pool2d(x, 2, ceil_mode=True)


@pair("11_mnist_activations", FLOATS, refuses=ODD)
def output_pixel(lecture, given):
    conv = given.module(nn.Conv2d(3, 2, 5, padding="same"))
    x = given.numbers(3, *given.one_of((1, 1), (6, 4)))
    i, j = given.one_of(0, x.shape[1] - 1), given.one_of(0, x.shape[2] - 1)
    return lecture.output_pixel(x, conv, 1, i, j)[2], conv(x)[1, i, j]


@pair("11_mnist_activations", FLOATS, refuses=("expanded", *ODD))
def own_scale(lecture, given):
    maps = given.numbers(given.one_of(1, 3), *given.one_of((2, 2), (5, 9)))
    columns = maps.double().flatten(1).T.numpy()
    theirs = sklearn.preprocessing.minmax_scale(columns).T
    return lecture.own_scale(maps), theirs.reshape(maps.shape)


@pair("11_mnist_activations", PRECISE, refuses=("expanded", *ODD))
def mean_correlation(lecture, given):
    patches = given.numbers(given.one_of(2, 5), 3, given.one_of(3, 7))
    table = np.corrcoef(patches.flatten(1))
    theirs = table[~np.eye(len(table), dtype=bool)].mean()
    return [1, lecture.mean_correlation(patches)], [1, theirs]


@pair("12_real_transformer", FLOATS, refuses=ODD)
def on_subject(lecture, given):
    name, n = given.one_of(*lecture.SUBJECTS), given.one_of(8, 16)
    heat = given.numbers(given.one_of(1, 3), n * n).abs()
    inside = lecture.covered(lecture.SUBJECTS[name], n).flatten()
    theirs = [np.average(inside, weights=h) for h in heat.double()]
    return lecture.on_subject(heat, name), torch.tensor(theirs) / inside.mean()


@pair("12_real_transformer", PRECISE)
def rollout(lecture, given):
    maps = given.numbers(given.one_of(2, 4), *given.one_of((1, 1), (5, 5))).softmax(-1)
    steps = (maps + torch.eye(maps.shape[-1], dtype=maps.dtype)) / 2
    return lecture.rollout(maps), torch.linalg.multi_dot([*steps.flip(0)])


@pair("12_real_transformer", PRECISE, refuses=("expanded", *ODD))
def explained_by_rows_and_columns(lecture, given):
    table = given.numbers(*given.one_of((2, 3, 4), (5, 2, 1)))
    places = [*itertools.product(*map(range, table.shape[:2]))]
    rows = sklearn.preprocessing.OneHotEncoder().fit_transform(places)
    values = table.flatten(0, 1).double()
    fitted = sklearn.linear_model.LinearRegression().fit(rows, values).predict(rows)
    theirs = sklearn.metrics.r2_score(values, fitted, multioutput="variance_weighted")
    return [1, lecture.explained(table)], [1, theirs]


@pair("12_real_transformer", PRECISE, refuses=("expanded", *ODD))
def components(lecture, given):
    tokens = given.one_of(
        given.numbers(20, 7),
        given.numbers(4, 3),
        torch.tensor([[0, 1], [1, 0], [2, -1]]),
    ).to(given.dtype)
    k = given.one_of(1, 2)
    theirs = sklearn.decomposition.PCA(k).fit_transform(tokens.numpy())
    return lecture.components(tokens, k).abs(), abs(theirs)  # signs are free


@pair("12_real_transformer", NUMBERS, refuses=ODD)
def auc(lecture, given):
    name = given.one_of(*lecture.SUBJECTS)
    heat = given.one_of(
        given.numbers(256), given.numbers(1).expand(256)
    )  # and a flat one
    inside = lecture.covered(lecture.SUBJECTS[name], 16).flatten() > 0.5
    theirs = sklearn.metrics.roc_auc_score(inside, heat.double())
    return lecture.auc(heat, name), max(theirs, 1 - theirs)


@pytest.mark.parametrize(("pair", "dtype"), PAIRS)
@settings(deadline=None, max_examples=12, derandomize=True)
@given(data=st.data())
def test_ours_is_the_library(pair, dtype, data):
    given = Given(data, dtype, pair)
    with torch.set_grad_enabled(pair.gradient):
        ours, theirs = pair.function(lecture(pair.notebook), given)
    close(ours, theirs, dtype)
    inputs = [x for x, _ in given.inputs if x.requires_grad]
    if inputs and dtype in PRECISE and given.layout not in ODD:
        weight = torch.rand(theirs.shape, generator=given.generator)
        gradients = (
            torch.autograd.grad((weight * y).sum(), inputs, retain_graph=True)
            for y in (ours, theirs)
        )
        for mine, library in zip(*gradients, strict=True):
            close(mine, library, dtype, roundings=256)  # it met larger numbers
    for x, before in given.inputs:
        torch.testing.assert_close(x.detach(), before, rtol=0, atol=0, equal_nan=True)


# What an own function does not take, where it could guess, and what it says to do.
REFUSED = {
    "01_tasks": {
        "mean_iou(torch.tensor([255, 0]), torch.tensor([0, 0]), 19)": "без разметки",
        "mean_iou(torch.tensor([0]), torch.tensor([19]).byte(), 19)": "от 0 до 18",
        "mean_iou(torch.tensor([-1]), torch.tensor([0]), 2)": "от 0 до 1",
        "mean_iou(torch.tensor([0.7]), torch.tensor([0]), 2)": "у логитов — argmax",
        "mean_iou(torch.tensor([torch.nan]), torch.tensor([0]), 2)": "целые",
    },
    "02_vgg": {
        'meta_vgg("A")(torch.empty(1, 3, 256, 256))': "224×224",
        'meta_vgg("D")(torch.empty(1, 3, 224, 96))': "224×224",
        'meta_vgg("D")(torch.empty(3 * 224 * 224))': "224×224",
    },
    "03_googlenet": {
        "GoogLeNet()(torch.zeros(1, 3, 96, 96))": "paper=False",
        "GoogLeNet()(torch.zeros(1, 3, 64, 224))": "224×224",
    },
    "05_fpn_unet": {"crop(torch.zeros(3, 4), torch.zeros(4, 4))": "не меньше"},
    "07_grad_cam": {
        "tokens_to_map(torch.zeros(1, 17, 2))": "клеток 16, а в карте",
        "check_call(torch.zeros(1, 3, 8, 8), [1])": "тензор int64",
        "check_call(torch.zeros(1, 3, 8, 8), torch.tensor([1.0]))": "тензор int64",
        "check_call(torch.zeros(2, 3, 8, 8), torch.tensor(1))": "по одному на",
        "check_map(torch.zeros(1, 17, 2))": "to_map",
    },
    "08_self_attention": {
        "MultiHeadAttention(6, 4)": "не делится на h",
        "PatchEmbedding(8, 3, 2)": "не делится на патч",
        "PatchEmbedding(8, 4, 2)(torch.zeros(1, 3, 16, 4))": "сторона 8",
        "PatchEmbedding(8, 4, 2)(torch.zeros(5))": "сторона 8",
    },
    "09_swin": {
        "window_partition(torch.zeros(1, 6, 5, 2), 3)": "дополните",
        'window_partition(torch.zeros(1, 4, 6, 2, device="meta"), 3)': "дополните",
        "NeighborhoodAttention(4, 2, 4)": "нечётное",
        "NeighborhoodAttention(4, 2, 3)(torch.zeros(1, 2, 9, 4))": "меньше k",
    },
    "10_positional_encoding": {
        "frequencies(3)": "чётное d",
        "encoding_2d(2, 2, 6)": "кратное четырём",
        "to_patches(torch.zeros(3, 10, 8), 4)": "обрежьте",
        "ShiftedEncoding(4, 3)(torch.zeros(1, 4, 4))": "увеличьте max_len",
        "PositionalEncoding(4, 8)(torch.zeros(1, 5, 4), start=7)": "увеличьте max_len",
        "PositionalEncoding(4, 8)(torch.zeros(1, 5, 6))": "таблица позиций 8×4",
    },
    "12_real_transformer": {
        "square(torch.zeros(257))": "уберите класс-токен",
        "colours(torch.rand(12, 5))": "не квадрат",
        "on_subject(torch.zeros(2, 257), 'cat')": "уберите класс-токен",
        "auc(torch.zeros(257), 'cat')": "уберите класс-токен",
    },
}


@pytest.mark.parametrize(
    ("notebook", "call"), [(name, call) for name in REFUSED for call in REFUSED[name]]
)
def test_what_could_be_guessed_is_told(notebook, call):
    with pytest.raises(ValueError, match=REFUSED[notebook][call]):
        eval(call, lecture(notebook).names)


# --- gradients of every module --------------------------------------------------------

# How to build it: the shape of its input; a list means digits, or several maps.
MODULES = {
    "01_tasks": {"SRCNN(2, 3)": (1, 1, 5, 4), "There_and_back(VAE(2, 3))": (2, 64)},
    "02_vgg": {"small(VGG)": (1, 3, 224, 231)},
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
        "TorchvisionFPN([2, 3], 2)": [(1, 2, 4, 5), (1, 3, 2, 3)],
        "Joined(Backbone(BODY, ['0', '1']), FPN((3, 3), 2))": ((1, 3, 4, 5)),
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
        "TwoMeans(4, 2)": (2, 4, 3, 5),
        "FixedPool(4, 2)": (2, 4, 8, 8),
        "NoSigmoid()": (2, 4, 3, 5),
        "TwoMLPs(4, 2)": (2, 4, 3, 5),
        "Softmax(4, 2)": (2, 4, 3, 5),
        "VANBlock(2, 3)": (2, 2, 3, 5),
    },
    "07_grad_cam": {"QuiltBlock(4, 'с CBAM')": (1, 4, 3, 5)},
    "08_self_attention": {
        "Ours()": (3, 2, 2, 3, 4),
        "Library()": (3, 2, 2, 3, 4),
        "OurMHA(4, 2)": (2, 3, 4),
        "LibraryMHA(4, 2).train()": (2, 3, 4),
        "Reverser(N=3, d=4)": [2, 3],
        "ViT(8, 4, 4, 2, 1, 8, 3)": (2, 3, 8, 8),
        "ScaledBlock(4, 2, 8)": (2, 3, 4),
    },
    "09_swin": {
        "GlobalAttention(4, 2)": (2, 2, 3, 4),
        "PlainWindows(4, 2, 2)": (1, 2, 4, 4),
        "AxisShift(4, 2, 2, 1)": (1, 2, 4, 4),
        "RegionByRegion(WindowAttention(4, 2, 2, 1))": (1, 3, 4, 4),
        "Copier('relative', C=2)": (1, 4, 4, 6),
        "Swin(4, (1, 2), 1, 2)": (1, 3, 12, 20),
        "PadAfterRoll(4, 2, 2, 1)": (1, 3, 4, 4),
        "DenseWithMask(NeighborhoodAttention(4, 2, 1))": (1, 2, 2, 4),
        "SplitQKV(3)": (2, 4, 3),
        "NeighborhoodAttention(4, 2, 3)": (1, 3, 4, 4),
        "QueryByQuery(NeighborhoodAttention(4, 2, 1))": (1, 1, 2, 4),
        "ChannelNorm(3)": (2, 3, 2, 2),
        "Pointwise(3, 4)": (2, 3, 2, 2),
        "RoadBlock(Design(depthwise=True, kernel=5), 3, 2, 4, 2)": (1, 3, 4, 4),
        "Road(Design((1, 1), norm=ChannelNorm, separate=True), 1, 2)": (1, 1, 8, 8),
    },
    "10_positional_encoding": {
        "LearnedEncoding(4, 5)": (2, 3, 4),
        "ShiftedEncoding(4, 5)": (2, 3, 4),
        "RelativeAttention(4)": (2, 3, 4),
        "RotaryAttention(4)": (2, 3, 4),
        "CausalAttention(4)": (2, 3, 4),
        "MarianEncoding(4, 5)": (2, 3, 4),
        "Rotary()": (2, 2, 3, 4),
        "Net(5, 3, PositionalEncoding(4), Attention(4), nn.Identity(), 4)": [2, 3],
    },
    "11_mnist_activations": {"ChannelsLast(digit_net())": (1, 1, 28, 28)},
    "12_real_transformer": {"ViT()": (2, 3, 8, 8)},
}
NO_GRADIENT = {  # nothing depends on the input; references, which take other inputs
    "06_attention": {"Open"},
    "10_positional_encoding": {"LlamaRotary"},
    "12_real_transformer": {"Tokens"},
}


class There_and_back(nn.Module):
    """What is trained of a VAE, without its noise."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net.decode(self.net.encode(x)[0])


def small(vgg: type[nn.Module]) -> nn.Module:
    """VGG with few channels: its own takes a gigabyte."""
    with torch.device("meta"):
        net = vgg("A")
    net.features = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.MaxPool2d(31))
    net.classifier = nn.Sequential(nn.Linear(2 * 7 * 7, 3))
    return net


NAMES = {  # small sizes, and what a notebook assigns
    "01_tasks": {"There_and_back": There_and_back},
    "02_vgg": {"small": small},
    "04_resnet": {"STAGES": ((2, 3, 2, 4), (1, 5, 1, 320))},
    "05_fpn_unet": {
        "unit": functools.partial(ops.Conv2dNormActivation, kernel_size=3),
        "BODY": nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)),
    },
    "12_real_transformer": {"DIM": 4, "HEADS": 2, "PATCH": 4, "GRID": 2, "DEPTH": 1},
}
FEW = 100_000  # parameters whose gradients are checked, too


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
    sizes = [p.numel() for p in parameters.values()]
    row = nn.utils.parameters_to_vector([*parameters.values(), torch.zeros(0)])
    row = row.detach().requires_grad_(0 < sum(sizes) <= FEW)
    if isinstance(shape, tuple):
        inputs = [torch.randn(shape, requires_grad=True)]
    elif isinstance(shape[0], tuple):
        inputs = [torch.randn(s, requires_grad=True) for s in shape]
    else:
        inputs = [torch.randint(3, shape)]

    def output(row: Tensor, *x: Tensor) -> Tensor | tuple[Tensor, ...]:
        parts = zip(parameters.items(), row.split(sizes) if sizes else (), strict=True)
        state = {name: part.view_as(p) for (name, p), part in parts}
        argument = list(x) if len(x) > 1 else x[0]
        y = torch.func.functional_call(module, state, (argument,))
        return tuple(y) if isinstance(y, list) else y

    # Along one direction of all parameters and inputs at once.
    torch.autograd.gradcheck(
        output, (row, *inputs), fast_mode=True, check_undefined_grad=False
    )


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
    exempt = NO_GRADIENT.get(notebook, set())
    assert own <= checked | exempt, own - checked - exempt
    assert exempt <= own, exempt - own


# --- what has neither -----------------------------------------------------------------

# Own functions that no pair and no module above reaches, each with its reason.
NO_PAIR = {
    "the notebook itself compares it with a library or with another way to count": """
        receptive_field averages cost layer_table layer_operations check_outputs
        pair_cost layers_of by_kind kind compare_with_torchvision
        compare_with_transformers plus_one compare_fpn compare_unet flat_name
        sizes_along what_cells_see network_of_ones compare compare_resnet
        cbam_parameters insert_attention response span price without_border
        spatial_first parallel package_cam same_as_package package_peak grad_cam
        activations_and_gradients weighted_sum cam layer_cam watching evaluating
        check_call check_map check_output check_seen refusal channels_last
        tokens_to_map keep_output keep_gradient cell_centre counted formula
        random_head record_maps multiplications omega_msa omega_windows parts seen_by
        who_sees_whom leaks order check_attention masked_softmax follows_shift
        visible_share attention_map encoding_by_formula encoding_2d compare_with_timm
        rotate_2d timm_rotary turn shift_matrix same_angle formula_parameters summary
        by_library measure accuracy_of needs_the_max fits_any_size shares_the_mlp
        keeps_the_range starts_at_a_quarter failed with_fault same_answers
        insert_blocks zero_block dirac_block count_symmetries swap_two overlaps
        smooth_upsample unevenness""",
    "one call of a library": """
        lower_resolution grey blur meta_model meta_vgg passport rank dropouts accuracy
        resnet18 mobilenet vgg11 vit swin make_vit random_net random_lite asked shot
        picture probability share record predict middle inputs shown small look
        five_answers photo_maps network_input last_maps last_cams class_map
        pixel_gradient noise accepts training_step""",
    "a line of arithmetic": """
        pinhole depth share_right quality ideal_logits gain both_ways shuffle side
        unexplained hit average ratio mlp two_weights nonconvex_share as_picture cells
        extremes size_loss by_chance excess standard_error relative_energy box_mask
        edges erase sharpened number with_total class_looks mass_on_sign ceiling at
        on_token by_place similarity signed strongest largest varied corners
        energy_shares excitation foreign distance colours norms square loss_with_heads
        loss_without_heads halves segmentations shuffle_pixels feature_rows""",
    "makes data or a network, whose use the notebook measures": """
        random_boxes walk face_net group_photo make_clip make_net convs_and_pools
        convs lonely_dots average_head dense_head small_vgg pieces all_pieces few
        fresh_net make_deep which_side kinds large_things randomise texture silhouette
        draw_quilt quilts make_strided randomised rows_of_digits draw_sign
        sign_streets make_layers six_layers colour_windows order_task copy_task
        order_net copy_net add_noise shuffled on_patches strongest_patches prune""",
    "trains, measures or damages a network: an experiment": """
        fit_box count_lost block_match optimise mistakes train_finder face_experiment
        locate found_faces train_restorer best_width restored train_vae error_on
        dot_error digit_error road_error features_of fresh_error compare digit_score
        gradient_norms train_deep hits train_net train_on_task train_hidden
        accuracy_with_noise
        loss_along loss_surface count_right damage train_detector recall level_maps
        train_unet gates with_strange_gates inside_cbam heat_of deletion_curve
        after_randomising rates two_maps smooth_grad integrated_gradients in_pixels
        chances_of curves cascade alike answer_at measure train_reverser
        diagonal_share train_vit accuracy_without deletion_curves train_copier
        copier_accuracy by_length softmax_twice occlusion drops_by_ink ascend through
        looked seen turned reaches""",
}
DRAWS = {"ax", "axes", "fig", "gallery", "plt", "show"}


def words(thing: Any) -> set[str]:
    """The names that the code of a function or a class uses."""
    if isinstance(thing, type):
        functions = filter(inspect.isfunction, vars(thing).values())
        return {b.__name__ for b in thing.__mro__}.union(*map(words, functions))
    todo, found = [inspect.unwrap(thing).__code__], set()
    while todo:
        code = todo.pop()
        todo += [c for c in code.co_consts if inspect.iscode(c)]
        texts = [c for c in code.co_consts if isinstance(c, str)]
        found |= {
            *code.co_names,
            *code.co_varnames,
            *re.findall(r"\w+", " ".join(texts)),
        }
    return found


@pytest.mark.parametrize("notebook", [path.stem for path in notebooks()])
def test_no_function_is_forgotten(notebook):
    own = {
        name: thing
        for name, thing in vars(lecture(notebook)).items()
        if getattr(thing, "__module__", "") == "builtins"
        and (inspect.isfunction(thing) or isinstance(thing, type))
    }
    pairs = (param.values[0] for param in PAIRS)
    todo = {*re.findall(r"\w+", " ".join(MODULES.get(notebook, {})))}.union(
        *(words(pair.function) for pair in pairs if pair.notebook == notebook)
    )
    reached = set()
    while todo:
        name = todo.pop()
        if name in own and name not in reached:
            reached.add(name)
            todo |= words(own[name])
    rest = {
        name
        for name in own.keys() - reached
        if inspect.isfunction(own[name]) and not words(own[name]) & DRAWS
    }
    reasons = {*" ".join(NO_PAIR.values()).split()}
    assert rest <= reasons, rest - reasons
