"""Notebook 04: equality in training at odd sizes, and its claims for more seeds."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
import torchvision
from torch import nn

from lecture_utils.data import digits
from lecture_utils.reference import same_as
from lecture_utils.training import fit
from tools.definitions import definitions

SEEDS = (1, 2)  # the notebook itself has seed 0


pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def lecture(float64) -> SimpleNamespace:
    """The definitions of the notebook, with its data."""
    lecture = definitions("04_resnet")
    data = digits()
    lecture.names["train"] = data.x_train, data.y_train
    lecture.names["val"] = data.x_test, data.y_test
    lecture.names["fit"] = partial(fit, measure_every=100)  # only the end is asked
    return lecture


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
def test_only_the_deep_plain_network_depends_on_rounding(lecture):
    """So two pictures of the notebook may vary, and no others."""
    change = {}
    for skip in (0, 1):
        losses = []
        for factor in (1, 1 + 1e-15):
            net = lecture.make_net(30, skip)
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter.mul_(factor)
            losses.append(lecture.train_net(net).val_loss[-1])
        change[skip] = abs(losses[0] - losses[1])
    assert change[0] > 1e-4
    assert change[1] < 1e-8


def test_a_lost_skip_connection_is_found(lecture):
    reference = torchvision.models.resnet18(num_classes=10)
    ours = lecture.ResNet(lecture.BasicBlock, (2, 2, 2, 2), classes=10)
    ours.load_state_dict(reference.state_dict())
    ours.layer3[1].downsample = nn.Conv2d(256, 256, 1).requires_grad_(False)
    nn.init.zeros_(ours.layer3[1].downsample.weight)
    with pytest.raises(AssertionError, match="выход отличается"):
        same_as("torchvision", ours.eval(), reference.eval(), torch.randn(1, 3, 64, 64))


@pytest.mark.parametrize("seed", SEEDS)
def test_gradients_vanish_only_without_norm(lecture, seed):
    def ratio(norm, skip):
        norms = lecture.gradient_norms(lecture.make_net(30, skip, norm, seed))
        return norms[1] / norms[-1]

    assert ratio(nn.Identity, 0) < 1e-9
    assert ratio(nn.Identity, 1) > 1e-2
    assert ratio(nn.BatchNorm2d, 0) > 5


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_degradation_and_its_cure(lecture, seed):
    error = {}
    for skip, depth in ((0, 6), (0, 30), (1, 30)):
        net = lecture.make_net(depth, skip, seed=seed)
        error[skip, depth] = lecture.train_net(net).train_error[-1]
    assert error[0, 30] > 5 * error[0, 6]
    assert error[0, 30] > 5 * error[1, 30]


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_identity_of_a_residual_net_survives_noise(lecture, seed):
    shallow = lecture.make_net(6, 1, seed=seed)
    lecture.train_net(shallow)
    lecture.names["shallow"] = shallow.eval()
    noisy = lecture.accuracy_with_noise
    assert noisy(lecture.zero_block, 0.05, seed) > 0.9
    assert noisy(lecture.dirac_block, 0.05, seed) < 0.5
