"""What the texts say about torch is so in the torch that is installed."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models


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
