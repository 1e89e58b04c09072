"""Notebook 04: equality in training at odd sizes, and its claims for more seeds."""

from functools import partial
from types import SimpleNamespace

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from lecture_utils.data import digits, photo
from lecture_utils.reference import same_as, twin
from lecture_utils.trained import trained
from tools.definitions import definitions

SEEDS = (1, 2)  # the notebook itself has seed 0


pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def lecture(float64) -> SimpleNamespace:
    """The definitions of the notebook."""
    return definitions("04_resnet")


@pytest.fixture(scope="module")
def data(float64) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Digits to learn and to check on."""
    x_train, y_train, x_test, y_test = digits()
    return (x_train, y_train), (x_test, y_test)


@pytest.mark.parametrize(
    ("name", "counts", "size"),
    [
        (18, (2, 2, 2, 2), (2, 3, 33, 47)),
        (50, (3, 4, 6, 3), (2, 3, 47, 33)),
    ],
)
def test_training_equals_torchvision(lecture, name, counts, size):
    """Batch statistics at awkward sizes; the notebook compares in evaluation mode."""
    torch.manual_seed(0)
    reference = torchvision.models.get_model(f"resnet{name}", num_classes=10)
    block = lecture.Bottleneck if name == 50 else lecture.BasicBlock
    ours = lecture.ResNet(block, counts, classes=10)
    ours.load_state_dict(reference.state_dict())
    # Batch statistics of a 2x2 map amplify rounding.
    same_as("torchvision", ours, reference, torch.randn(size), atol=1e-9)


@pytest.mark.seeds
def test_training_is_chaotic_at_30_plain_layers_and_not_at_20(lecture, data):
    """So the notebook's curves and landscapes are the same on every processor."""
    change = {}
    for depth in (20, 30):
        losses = []
        for factor in (1, 1 + 1e-14):
            net = lecture.make_net(depth, skip=0)
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter.mul_(factor)
            losses.append(lecture.train_net(net, *data).val_loss[-1])
        change[depth] = abs(losses[0] - losses[1])
    assert change[20] < 1e-8
    assert change[30] > 1e-4


def test_a_lost_skip_connection_is_found(lecture):
    reference = torchvision.models.resnet18(num_classes=10)
    ours = lecture.ResNet(lecture.BasicBlock, (2, 2, 2, 2), classes=10)
    ours.load_state_dict(reference.state_dict())
    ours.layer3[1].downsample = nn.Conv2d(256, 256, 1).requires_grad_(False)
    nn.init.zeros_(ours.layer3[1].downsample.weight)
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("torchvision", ours.eval(), reference.eval(), torch.randn(1, 3, 64, 64))


@pytest.mark.parametrize("seed", SEEDS)
def test_gradients_vanish_only_without_norm(lecture, data, seed):
    x, y = data[0]

    def ratio(norm, skip):
        net = lecture.make_net(30, skip, norm, seed)
        norms = lecture.gradient_norms(net, x[:64], y[:64])
        return norms[1] / norms[-1]

    assert ratio(nn.Identity, 0) < 1e-9
    assert 1e-2 < ratio(nn.Identity, 1) < 1e2
    assert ratio(nn.BatchNorm2d, 0) > 5


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_degradation_and_its_cure(lecture, data, seed):
    error = {}
    for skip, depth in ((0, 6), (0, 20), (1, 20)):
        net = lecture.make_net(depth, skip, seed=seed)
        error[skip, depth] = lecture.train_net(net, *data).train_error[-1]
    assert error[0, 20] > 5 * error[0, 6]
    assert error[0, 20] > 5 * error[1, 20]
    assert error[1, 20] < 0.05 < error[0, 20]
    net = lecture.make_net(20, 0, seed=seed)
    longer = lecture.train_net(net, *data, steps=300, every=300)
    assert longer.train_error[-1] < 0.05


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_identity_of_a_residual_net_survives_noise(lecture, data, seed):
    shallow = lecture.make_net(6, 1, seed=seed)
    lecture.train_net(shallow, *data)
    noisy = partial(lecture.accuracy_with_noise, shallow.eval())
    for noise in range(3):
        assert noisy(lecture.zero_block, 0.05, *data[1], noise) > 0.85
        assert noisy(lecture.dirac_block, 0.05, *data[1], noise) <= 0.5


@pytest.mark.parametrize("size", [(2, 3, 64, 95), (3, 3, 97, 33)])
def test_efficientnet_in_training_equals_timm(lecture, size):
    reference = timm.create_model("tf_efficientnet_lite0", num_classes=10)
    ours = lecture.EfficientNetLite0(classes=10)
    # Batch statistics of a 2x2 map amplify rounding.
    same_as("timm", ours, reference, torch.randn(size), copy=True, atol=1e-8)


def test_a_trained_network_outlives_its_residual_but_not_its_skip(lecture):
    """On the whole squares, too; the notebook cuts their middle out."""
    ready = trained()
    net = twin(lecture.EfficientNetLite0(), ready.net)
    blocks = [block for stage in net.blocks for block in stage]
    names = "cat", "astronaut", "coffee", "camera", "motorcycle", "china", "rocket"
    x = ready.inputs(torch.stack([photo(name, 224) for name in names]))
    with torch.no_grad():
        whole = net(x).argmax(1)
    torn = lecture.damage(net, blocks, x)
    assert len(torn) == 9
    for without_residual, without_skip, _ in torn.values():
        assert (without_residual == whole).sum() >= 5
        assert (without_skip == whole).sum() <= 1
