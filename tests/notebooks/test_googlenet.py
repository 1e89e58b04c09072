"""What notebook 03 defines, tried on more inputs than the lecture shows."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lecture_utils.trained import Trained, class_id, trained, untrained
from tools.definitions import definitions


@pytest.fixture(scope="module")
def lecture() -> SimpleNamespace:
    return definitions("03_googlenet")


@pytest.fixture(scope="module")
def real() -> Trained:
    return trained(dtype=torch.float32)


@pytest.mark.parametrize("english", ["tripod", "palace", "toilet tissue"])
def test_mean_of_the_class_map_and_bias_is_the_logit(lecture, real, english):
    k = class_id(english)
    features = lecture.last_maps(real, "camera")
    mean = lecture.class_map(real.net, features, english).mean()
    with torch.no_grad():
        logits = real.net(real.inputs(lecture.photo("camera", 224)))[0]
    torch.testing.assert_close(
        mean + real.net.classifier.bias[k].detach(), logits[k], atol=1e-4, rtol=0
    )


def test_hit_measures_density_inside_the_box(lecture):
    everywhere = torch.ones(7, 7)
    assert lecture.hit(everywhere, (0, 0, 500, 1000)) == pytest.approx(1)
    assert lecture.hit(everywhere, (100, 300, 350, 850)) == pytest.approx(1)
    corner = -everywhere
    corner[0, 6] = 3  # above on the right; what is negative counts as nothing
    assert lecture.hit(corner, (500, 0, 1000, 500)) == pytest.approx(4)
    assert lecture.hit(corner, (0, 500, 500, 1000)) == 0
    assert lecture.hit(-everywhere, (0, 0, 500, 500)) == 1


def test_kinds_of_layers_add_up_to_the_network(lecture, real):
    net = real.net
    kinds = lecture.by_kind(net)
    weights = sum(
        lecture.parameters(layer)
        for layer in net.modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    )
    assert sum(row[1] for row in kinds.values()) == weights
    whole = lecture.multiply_adds(net, torch.empty(1, 3, 224, 224))
    assert sum(row[2] for row in kinds.values()) == whole
    assert {name: row[0] for name, row in kinds.items()} == {
        "полная k×k": 1,
        "глубинная k×k": 16,
        "1×1": 32,
        "линейный": 1,
    }


@pytest.mark.seeds
@pytest.mark.parametrize("first", [3, 6, 9, 12, 15])
def test_other_random_networks_find_the_boxes_no_better(lecture, real, first):
    hits = []
    for seed in range(first, first + 3):
        random = real._replace(net=untrained(seed, dtype=torch.float32))
        for (name, english), box in lecture.BOXES.items():
            features = lecture.last_maps(random, name)
            heat = lecture.class_map(random.net, features, english)
            hits.append(lecture.hit(heat, box))
    assert lecture.average(hits) < 1.3
