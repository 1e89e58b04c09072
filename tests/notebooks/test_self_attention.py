"""Notebook 08: equality at more sizes and masks, its claims for more seeds, and
planted faults that the comparisons must notice."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.vision_transformer import EncoderBlock, VisionTransformer

from lecture_utils.reference import same_as, twin
from tools.definitions import definitions

SEEDS = (1, 2)  # the notebook itself has seed 0


pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def lecture(float64) -> SimpleNamespace:
    """The definitions of the notebook."""
    return definitions("08_self_attention")


def masks(batch: int, n: int, m: int) -> dict[str, torch.Tensor | None]:
    lengths = torch.arange(batch) % m + 1
    padding = torch.arange(m) < lengths[:, None, None, None]
    causal = torch.ones(n, m, dtype=torch.bool).tril()
    return {
        "none": None,
        "causal": causal,
        "padding": padding,
        "both": causal & padding,
        "only one key": F.one_hot(torch.arange(n) % m, m).bool(),
    }


# --- attention ------------------------------------------------------------------------


@pytest.mark.parametrize("name", masks(1, 1, 1))
@pytest.mark.parametrize(
    ("batch", "heads", "n", "d"), [(1, 1, 1, 1), (2, 3, 7, 5), (3, 2, 16, 8)]
)
def test_attention_equals_torch(lecture, batch, heads, n, d, name):
    torch.manual_seed(0)
    mask = masks(batch, n, n)[name]
    x = torch.randn(3, batch, heads, n, d)
    same_as("torch", lecture.Ours(mask), lecture.Library(mask), x)


@pytest.mark.parametrize(("n", "m"), [(1, 9), (4, 7), (11, 3)])
def test_cross_attention_equals_torch(lecture, n, m):
    torch.manual_seed(0)
    shapes = (2, 3, n, 4), (2, 3, m, 4), (2, 3, m, 6)
    ours = [torch.randn(shape, requires_grad=True) for shape in shapes]
    theirs = [x.detach().clone().requires_grad_() for x in ours]
    z, weights = lecture.attention(*ours)
    expected = F.scaled_dot_product_attention(*theirs)
    assert weights.shape == (2, 3, n, m)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, n))
    torch.testing.assert_close(z, expected, atol=1e-12, rtol=0)
    for out in (z, expected):
        out.square().sum().backward()
    for x, y in zip(ours, theirs, strict=True):
        torch.testing.assert_close(x.grad, y.grad, atol=1e-10, rtol=0)


def over_queries(Q, K, V, mask):
    return (Q @ K.transpose(-2, -1) / Q.shape[-1] ** 0.5).softmax(-2) @ V


def unscaled(Q, K, V, mask):
    return (Q @ K.transpose(-2, -1)).softmax(-1) @ V


def masked_after_softmax(Q, K, V, mask):
    return (Q @ K.transpose(-2, -1) / Q.shape[-1] ** 0.5).softmax(-1) * mask @ V


def mask_the_other_way_round(Q, K, V, mask):
    return F.scaled_dot_product_attention(Q, K, V, ~mask.T)


@pytest.mark.parametrize(
    "fault", [over_queries, unscaled, masked_after_softmax, mask_the_other_way_round]
)
def test_a_fault_in_attention_is_found(lecture, fault, monkeypatch):
    torch.manual_seed(0)
    mask = torch.ones(6, 6, dtype=torch.bool).tril(2)
    monkeypatch.setitem(lecture.names, "attention", lambda *x: (fault(*x), None))
    x = torch.randn(3, 2, 1, 6, 5)
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("torch", lecture.Ours(mask), lecture.Library(mask), x)


@pytest.mark.parametrize(
    ("batch", "n", "d", "h"),
    [(1, 1, 3, 1), (2, 7, 35, 7), (3, 10, 24, 4), (2, 5, 6, 6)],
)
@pytest.mark.parametrize("name", ["none", "causal"])
def test_multi_head_attention_equals_torch(lecture, batch, n, d, h, name):
    torch.manual_seed(0)
    mask = masks(batch, n, n)[name]
    reference, ours = lecture.LibraryMHA(d, h, mask), lecture.OurMHA(d, h)
    nn.init.normal_(reference.mha.in_proj_bias)  # zero in a new module
    ours.mask = mask
    x = torch.randn(batch, n, d)
    same_as("torch", ours, reference, x, rules=lecture.RULES, copy=True)
    options = {"attn_mask": reference.forbidden, "average_attn_weights": False}
    torch.testing.assert_close(ours.A, reference.mha(x, x, x, **options)[1])


def test_heads_cut_without_transposing_are_found(lecture, monkeypatch):
    def without_transposing(x, h):
        return x.reshape(len(x), h, x.shape[1], -1)

    torch.manual_seed(0)
    reference = lecture.LibraryMHA(12, 4)
    ours = twin(lecture.OurMHA(12, 4), reference, lecture.RULES)
    monkeypatch.setitem(lecture.names, "split_heads", without_transposing)
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("torch", ours, reference, torch.randn(2, 6, 12))


def test_width_must_be_divisible_by_the_number_of_heads(lecture):
    with pytest.raises(ValueError, match="d = 10 не делится на h = 3"):
        lecture.MultiHeadAttention(10, 3)


@pytest.mark.parametrize(("n", "d", "h"), [(1, 4, 1), (6, 12, 4), (17, 10, 5)])
def test_attention_is_permutation_equivariant(lecture, n, d, h):
    torch.manual_seed(n)
    mha, x, order = (
        lecture.MultiHeadAttention(d, h),
        torch.randn(2, n, d),
        torch.randperm(n),
    )
    torch.testing.assert_close(mha(x[:, order]), mha(x)[:, order])


# --- ViT ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "d", "h", "mlp"), [(1, 4, 1, 3), (11, 36, 4, 50), (65, 24, 3, 96)]
)
def test_block_equals_torchvision(lecture, n, d, h, mlp):
    torch.manual_seed(0)
    reference = EncoderBlock(h, d, mlp, 0.0, 0.0).eval()
    ours, rules = lecture.Block(d, h, mlp), lecture.VIT_RULES
    x = torch.randn(2, n, d)
    same_as("torchvision", ours, reference, x, rules=rules, copy=True)


def randomised(reference: nn.Module) -> nn.Module:
    """No parameter is left at zero or one, where a mistake could hide."""
    for parameter in reference.parameters():
        nn.init.normal_(parameter, std=0.3)
    return reference.eval()


@pytest.mark.parametrize(
    ("size", "patch", "depth", "d", "h", "batch"),
    [(32, 8, 2, 24, 4, 3), (35, 5, 3, 12, 2, 2), (16, 16, 1, 8, 1, 1)],
)
def test_vit_equals_torchvision(lecture, size, patch, depth, d, h, batch):
    torch.manual_seed(0)
    reference = randomised(
        VisionTransformer(size, patch, depth, h, d, 2 * d, num_classes=7)
    )
    ours = twin(
        lecture.ViT(size, patch, d, h, depth, 2 * d, 7), reference, lecture.VIT_RULES
    )
    x = torch.randn(batch, 3, size, size)
    same_as("torchvision", ours, reference, x, rules=lecture.VIT_RULES, atol=1e-9)


def test_a_new_torchvision_vit_has_a_zero_head(lecture):
    """Why the notebook draws the head at random before it compares."""
    assert (VisionTransformer(16, 8, 1, 1, 8, 8).heads.head.weight == 0).all()


def lost_residual(ours):
    block = ours.blocks[1]
    block.forward = lambda x: block.mlp(block.ln_2(x + block.attn(block.ln_1(x))))


def mean_instead_of_class_token(ours):
    ours.norm.register_forward_hook(lambda norm, x, out: out.mean(1, keepdim=True))


def places_forgotten(ours):
    ours.embed.pos = nn.Parameter(torch.zeros_like(ours.embed.pos))


def class_token_last(ours):
    ours.embed.register_forward_hook(lambda embed, x, out: out.roll(-1, 1))


def post_norm(ours):
    block = ours.blocks[0]

    def forward(x):
        x = block.ln_1(x + block.attn(x))
        return block.ln_2(x + block.mlp(x))

    block.forward = forward


@pytest.mark.parametrize(
    "plant",
    [
        lost_residual,
        mean_instead_of_class_token,
        places_forgotten,
        class_token_last,
        post_norm,
    ],
)
def test_a_fault_in_the_vit_is_found(lecture, plant):
    torch.manual_seed(0)
    reference = randomised(VisionTransformer(16, 8, 2, 2, 8, 12, num_classes=3))
    ours = twin(lecture.ViT(16, 8, 8, 2, 2, 12, 3), reference, lecture.VIT_RULES)
    plant(ours)
    with pytest.raises(AssertionError, match="выход отличается"):
        x = torch.randn(2, 3, 16, 16)
        same_as("torchvision", ours, reference, x, rules=lecture.VIT_RULES)


def test_a_side_that_patches_do_not_fill_is_refused(lecture):
    with pytest.raises(ValueError, match="сторона 30 не делится на патч 8"):
        lecture.PatchEmbedding(30, 8, 4)


def test_transformers_gives_maps_only_with_the_eager_implementation():
    """The remark of the notebook on `attn_implementation`."""
    from transformers import ViTConfig, ViTModel  # seconds, and only here

    for implementation, count in (("sdpa", 0), ("eager", 2)):
        config = ViTConfig(
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=8,
            image_size=16,
            patch_size=8,
            attn_implementation=implementation,
        )
        x = torch.randn(1, 3, 16, 16)
        out = ViTModel(config).eval()(x, output_attentions=True)
        maps = [a for a in out.attentions or () if a is not None]
        assert len(maps) == count


# --- what was measured ----------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_softmax_saturates_without_the_scale(lecture, seed):
    dims = (4, 16, 64, 256, 1024)
    plain = [lecture.sharpness(d, 1, seed=seed) for d in dims]
    scaled = [lecture.sharpness(d, d**-0.5, seed=seed) for d in dims]
    most = torch.tensor(16.0).log().item()
    for d, row, scaled_row in zip(dims, plain, scaled, strict=True):
        assert abs(row.variance / d - 1) < 0.2
        assert abs(scaled_row.variance - 1) < 0.2
    assert plain[-1].entropy < 0.1 * most
    assert 3 * plain[-1].gradient < scaled[-1].gradient


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_reversing_is_learnt_with_an_antidiagonal_map(lecture, seed):
    net, history = lecture.train_reverser(place=True, seed=seed)
    weights, on_diagonal = lecture.diagonal_share(net, seed)
    mirror = torch.arange(weights.shape[-1]).flip(0)
    assert history.val_error[-1] < 0.001
    assert (weights.argmax(-1) == mirror).all()
    assert on_diagonal.mean() > 0.9
    _, blind = lecture.train_reverser(place=False, seed=seed)
    assert blind.val_error[-1] > 0.5


@pytest.fixture(scope="module")
def val(lecture):
    """The notebook's validation part."""
    return lecture.sign_streets(400, range(1000, 1050), seed=1)


@pytest.mark.seeds
@pytest.mark.parametrize("seed", [*SEEDS, 3])
def test_a_layer_of_the_vit_looks_at_the_sign(lecture, val, seed):
    """Which layer does, depends on the initial weights, as the notebook remarks."""
    net = lecture.make_vit(seed)
    area = val.touched.double().mean()
    before = lecture.mass_on_sign(lecture.class_looks(net, val.x), val.touched)
    assert ((before / area - 1).abs() < 0.3).all()

    train = lecture.sign_streets(2000, range(100, 200), seed=seed)[:2]
    history = lecture.train_vit(net, train, val[:2], seed=seed)
    looks = lecture.class_looks(net, val.x)
    mass = lecture.mass_on_sign(looks, val.touched)
    assert history.val_error[-1] < 0.1
    foreign = lecture.mass_on_sign(looks.roll(1, 0), val.touched)
    assert mass.max() > 2.5 * area and mass.max() > 2 * foreign.max()
    curves = lecture.deletion_curves(net, val, looks, [4], seed)
    assert curves["карта обоих слоёв"][0] < 0.45
    assert curves["случайные"][0] > 0.8


def test_only_the_patches_of_the_sign_tell_the_class(lecture, val, monkeypatch):
    """So the task cannot be solved without looking there."""
    draw_sign = lecture.draw_sign
    monkeypatch.setitem(lecture.names, "draw_sign", lambda kind: draw_sign(0))
    same_sign = lecture.sign_streets(400, range(1000, 1050), seed=1)
    side = lecture.SIDE // lecture.PATCH
    touched = val.touched.view(-1, 1, side, side).to(val.x.dtype)
    keep = 1 - F.interpolate(touched, scale_factor=lecture.PATCH)
    assert torch.equal(same_sign.y, val.y)
    assert torch.equal(val.x * keep, same_sign.x * keep)
    assert not torch.equal(val.x, same_sign.x)


@pytest.mark.parametrize(("n", "d", "h"), [(1, 8, 2), (50, 48, 4), (197, 768, 12)])
def test_cost_is_what_is_counted(lecture, n, d, h):
    assert lecture.counted(n, d, h) == lecture.formula(n, d)
