"""What the texts say about libraries is so in those that are installed.

What a cell itself shows is not repeated here.
"""

import pytest
import torch
import torch.nn.functional as F
from timm.layers import resample_abs_pos_embed
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models
from transformers import ResNetConfig, ResNetModel, SwinConfig, ViTConfig, ViTModel
from transformers.models.swin.modeling_swin import SwinLayer


@pytest.mark.skipif(torch.cuda.is_available(), reason="told of a processor")
def test_the_counter_of_torch_does_not_see_into_sdpa():
    """Notebooks 08 and 09: why they count attention with products written out."""
    q = torch.rand(1, 2, 16, 8)
    with FlopCounterMode(display=False) as library:
        F.scaled_dot_product_attention(q, q, q)
    with FlopCounterMode(display=False) as ours:
        (q @ q.mT).softmax(-1) @ q
    assert library.get_total_flops() == 0
    assert ours.get_total_flops() == 2 * 2 * 2 * 16 * 16 * 8


def test_a_backward_hook_on_a_module_fails_before_an_operation_in_place():
    """Notebook 07: why its hook is one on a tensor."""
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(inplace=True))
    net[0].register_full_backward_hook(lambda *_: None)
    with pytest.raises(RuntimeError, match="modified inplace"):
        net(torch.rand(1, 2, requires_grad=True))


def test_the_pool_before_the_head_of_vgg_does_nothing_at_224():
    """Notebook 02: how torchvision differs from the paper, and where it does not."""
    with torch.device("meta"):
        vgg = models.vgg16()
        shapes = {s: vgg.features(torch.empty(1, 3, s, s)).shape for s in (224, 256)}
    assert vgg.avgpool.output_size == (7, 7)
    x = torch.rand(*shapes[224])
    assert torch.equal(vgg.avgpool(x), x)
    assert shapes[256][2:] != (7, 7)


@pytest.mark.parametrize(
    ("weights", "percent"),
    [
        (models.ResNet50_Weights.IMAGENET1K_V1, 76.1),  # notebook 06, the old recipe
        (models.ResNet50_Weights.IMAGENET1K_V2, 80.9),  # and the new one
        (models.ViT_B_16_Weights.IMAGENET1K_V1, 81.07),  # notebook 08
    ],
)
def test_the_passports_of_torchvision(weights: models.WeightsEnum, percent: float):
    digits = len(str(percent).partition(".")[2])
    assert round(weights.meta["_metrics"]["ImageNet-1K"]["acc@1"], digits) == percent


def test_the_step_of_a_bottleneck_is_in_its_convolution_of_3():
    """Notebook 04: «как в torchvision и transformers»."""
    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[32, 64], depths=[1, 1], layer_type="bottleneck"
    )
    for net in (models.resnet50(), ResNetModel(config)):
        steps = {
            layer.kernel_size[0]
            for name, layer in net.named_modules()
            if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2)
            if "downsample" not in name and "shortcut" not in name
        }
        assert steps == {7, 3}


def test_torchvision_does_not_ask_for_attention_maps_and_begins_with_a_zero_head():
    """Notebook 08: why its hook changes an argument, and why `random_head`."""
    vit = models.VisionTransformer(32, 8, 1, 2, 8, 16)
    asked = []
    vit.encoder.layers[0].self_attention.register_forward_pre_hook(
        lambda _, args, kwargs: asked.append(kwargs["need_weights"]), with_kwargs=True
    )
    assert not vit(torch.rand(1, 3, 32, 32)).any()
    assert asked == [False]


@pytest.mark.parametrize(("implementation", "maps"), [("eager", 2), ("sdpa", 0)])
def test_transformers_has_attention_maps_in_its_slow_way_only(implementation, maps):
    """Notebook 08."""
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2}
    config = ViTConfig(**sizes, num_hidden_layers=2, image_size=32, patch_size=16)
    config._attn_implementation = implementation
    with torch.no_grad():
        out = ViTModel(config)(torch.rand(1, 3, 32, 32), output_attentions=True)
    assert sum(known is not None for known in out.attentions or ()) == maps


def test_a_forbidden_pair_of_windows_costs_100(monkeypatch):
    """Notebook 09: «так же в torchvision и transformers», not minus infinity."""
    seen = []

    def softmax(x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        seen.append(x.detach())
        return torch.softmax(x, *args, **kwargs)

    layer = models.swin_transformer.ShiftedWindowAttention(8, [4, 4], [2, 2], 2)
    for parameter in layer.parameters():
        parameter.data.zero_()  # what is left is the mask
    monkeypatch.setattr(F, "softmax", softmax)
    layer(torch.rand(1, 8, 8, 8))
    theirs = SwinLayer(SwinConfig(window_size=4), 8, (8, 8), 2, shift_size=2)
    seen.append(theirs.get_attn_mask(8, 8, torch.float32, torch.device("cpu")))
    for mask in seen:
        assert mask.unique().tolist() == [-100, 0]
    assert len(seen) == 2


def test_timm_stretches_a_table_of_places_in_another_way():
    """Notebook 12: «на нашем размере её ответ был бы другим»."""
    table = torch.randn(1, 37 * 37, 4, generator=torch.Generator().manual_seed(0))
    plain = F.interpolate(table.mT.unflatten(-1, (37, 37)), (16, 16), mode="bicubic")
    theirs = resample_abs_pos_embed(table, [16, 16], num_prefix_tokens=0)
    assert (plain.flatten(2).mT - theirs).abs().max() > 0.1
    theirs = resample_abs_pos_embed(
        table, [16, 16], num_prefix_tokens=0, antialias=False
    )
    torch.testing.assert_close(plain.flatten(2).mT, theirs)


def test_neither_torch_nor_torchvision_has_a_u_net():
    """Notebook 05: why its second implementation is its own."""
    names = [*models.list_models(), *dir(nn), *dir(models.segmentation)]
    assert not [name for name in names if "unet" in name.lower().replace("_", "")]
