"""What notebook 01 defines, tried on more streets, boxes and seeds than it shows."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import ops

from lecture_utils.data import digits, streets
from lecture_utils.metrics import AveragePrecision, MeanIoU, PanopticQuality
from lecture_utils.scenes import Kind, Scale, project
from tools.definitions import definitions

SEEDS = (1, 2)  # the notebook itself has seed 0
numbers = st.integers(0, 2**32 - 1)

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def lecture(float64) -> SimpleNamespace:
    return definitions("01_tasks")


def metric_value(metric, prediction, reference) -> float:
    metric.add(prediction=prediction, reference=reference)
    return next(iter(metric.compute().values()))


@settings(deadline=None, max_examples=40)
@given(seed=numbers, n=st.integers(0, 30), threshold=st.sampled_from([0, 0.5, 0.9]))
def test_boxes_are_compared_and_suppressed_as_torchvision_does(
    lecture, seed, n, threshold
):
    a, b = lecture.random_boxes(n, seed), lecture.random_boxes(7, seed + 1)
    for ours, theirs in (
        (lecture.iou, ops.box_iou),
        (lecture.giou, ops.generalized_box_iou),
    ):
        torch.testing.assert_close(ours(a, b), theirs(a, b), equal_nan=True)
    scores = torch.rand(n, generator=torch.Generator().manual_seed(seed))
    scores = (10 * scores).round() / 10  # with ties
    kept = lecture.nms(a, scores, threshold)
    assert torch.equal(kept, ops.nms(a, scores, threshold))


@settings(deadline=None, max_examples=40)
@given(seed=numbers, found=st.integers(0, 12), true=st.integers(1, 6))
def test_average_precision_equals_the_metric(lecture, seed, found, true):
    # Few places, so that several boxes find the same object.
    rng = np.random.default_rng(seed)
    places = rng.integers(0, 3, (found + true, 2)) * 20
    corners = torch.tensor(places + 5 * rng.random((found + true, 2)))
    boxes = torch.cat([corners, corners + 15], 1)
    scores = torch.tensor(rng.permutation(found) / 20)
    right = lecture.match(boxes[:found], scores, boxes[found:])
    ours = lecture.average_precision(right, true) if found else 0.0
    prediction = {"boxes": boxes[:found], "scores": scores}
    reference = {"boxes": boxes[found:]}
    theirs = metric_value(AveragePrecision(), prediction, reference)
    assert ours == pytest.approx(theirs)


@pytest.mark.parametrize("seed", range(3))
def test_quality_of_a_map_equals_the_metrics(lecture, seed):
    true, predicted = (
        torch.tensor(scene.panoptic, dtype=torch.int64)
        for scene in streets((seed, seed + 10), 32).scenes
    )
    predicted[:16] = true[:16]  # half of it is right
    quality = lecture.quality(predicted, true)
    classes = predicted // 1000, true // 1000
    assert quality.accuracy == (classes[0] == classes[1]).double().mean()
    assert quality.mean_iou == pytest.approx(metric_value(MeanIoU(), *classes))
    panoptic = metric_value(PanopticQuality(), predicted, true)
    assert quality.panoptic == pytest.approx(panoptic)
    assert lecture.quality(true, true) == (1, 1, 1)


@pytest.mark.parametrize("seed", range(5))
def test_corners_of_3d_boxes_project_as_the_street_was_painted(lecture, seed):
    scene = streets([seed], 64).scenes[0]
    corners = lecture.box_corners(torch.tensor(scene.boxes3d).double())
    points = lecture.pinhole(corners, torch.tensor(scene.K).double())
    np.testing.assert_allclose(points, project(scene.corners, scene.K), atol=1e-3)


def test_a_turn_keeps_the_size_of_a_3d_box(lecture):
    box = torch.tensor([[1.0, 2, 9, 2, 1, 4, 0.7]])
    corners = lecture.box_corners(box)[0]
    torch.testing.assert_close(corners.mean(0), box[0, :3])
    for bit, side in enumerate((2.0, 1.0, 4.0)):  # width, height, length
        length = (corners[1 << bit] - corners[0]).norm()
        torch.testing.assert_close(length, torch.tensor(side))


@pytest.fixture(scope="module")
def clips(lecture) -> tuple:
    """Clips as in the notebook, of other streets: both ways, train and test."""
    rng = np.random.default_rng(1)
    empties = [s.image for s in streets(range(100, 140), 32, n_things=(0, 0)).scenes]
    walkers = [
        (s, k)
        for s in streets(range(400, 600), 32).scenes
        for k in range(len(s.boxes))
        if (s.labels[k], s.scales[k]) == (Kind.PERSON, Scale.LARGE)
        and s.visible[k] == 1
    ]
    made = np.stack([lecture.make_clip(rng, empties, walkers, 5) for _ in range(160)])
    made = torch.tensor(made).movedim(-1, 2) / 255
    return lecture.both_ways(made[:120]), lecture.both_ways(made[120:])


def test_one_frame_and_the_mean_cannot_tell_the_two_ways_apart(lecture, clips):
    x, way = clips[1]
    right, left = x[way == 0], x[way == 1]
    for name in ("средний кадр", "среднее кадров"):
        view = lecture.VIEWS[name]
        torch.testing.assert_close(view(right), view(left))
    assert not torch.allclose(lecture.VIEWS["клип"](right), lecture.VIEWS["клип"](left))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64])
def test_a_perfect_map_is_perfect_in_every_dtype(lecture, dtype):
    y = (torch.arange(64 * 64) % 19).view(64, 64).to(dtype)
    assert lecture.mean_iou(y, y, 19) == 1


def test_without_things_every_box_is_wrong(lecture):
    box = torch.tensor([[0.0, 0, 4, 4]])
    assert lecture.match(box, torch.ones(1), torch.zeros(0, 4)).tolist() == [False]
    assert lecture.match(box[:0], torch.ones(0), box).dtype == torch.bool


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_direction_is_read_from_the_order_of_frames_only(lecture, clips, seed):
    errors = {
        name: lecture.error_on(view, *clips, seed)
        for name, view in lecture.VIEWS.items()
    }
    assert errors["средний кадр"] == errors["среднее кадров"] == 0.5
    assert errors["клип"] < 0.1


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_networks_mend_photos_better_for_other_seeds_too(lecture, seed):
    photos = [lecture.grey(name) for name in lecture.TRAIN_PHOTOS]
    upscaler = lecture.train_restorer(lecture.lower_resolution, photos, seed)
    denoiser = lecture.train_restorer(lecture.add_noise, photos, seed)
    cat, flower = (
        lecture.restored(
            lecture.grey(name), upscaler, denoiser, lecture.best_width(photos)
        )
        for name in lecture.TEST_PHOTOS.values()
    )
    assert lecture.gain(cat, "SRCNN", "бикубически") > 0.2
    assert lecture.gain(flower, "SRCNN", "бикубически") > 0.7
    assert lecture.gain(flower, "сеть", "размытие") > 0.4
    assert lecture.gain(cat, "сеть", "размытие") < 0.2


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_two_numbers_of_the_vae_say_more_than_two_of_pca(lecture, seed):
    data = digits()
    x, new = data.x_train.flatten(1), data.x_test.flatten(1)
    vae = lecture.train_vae(x, seed)
    with torch.no_grad():
        again = vae.decode(vae.encode(new)[0])
    mean = x.mean(0)
    _, _, V = torch.linalg.svd(x - mean, full_matrices=False)
    pca = (new - mean) @ V[:2].T @ V[:2] + mean
    assert (again - new).pow(2).sum() < 0.9 * (pca - new).pow(2).sum()


def test_the_face_net_sees_in_a_picture_what_it_sees_in_its_windows(lecture):
    net, picture = lecture.face_net(), torch.rand(1, 1, 61, 47)
    squares, boxes = lecture.windows(picture)
    assert boxes.tolist()[:2] == [[0, 0, 25, 25], [4, 0, 29, 25]]
    torch.testing.assert_close(net(squares).flatten(), net(picture).flatten())
    for square, (x, y, right, bottom) in zip(
        squares, boxes.long().tolist(), strict=True
    ):
        assert torch.equal(square[0], picture[0, 0, y:bottom, x:right])


def test_block_matching_finds_a_known_shift(lecture):
    wide = torch.rand(40, 90, generator=torch.Generator().manual_seed(0))
    shift = lecture.block_match(wide[:, :80], wide[:, 7:87], shifts=12)
    assert (shift[:, 12:] == 7).all()


@pytest.mark.seeds
@pytest.mark.parametrize("seed", SEEDS)
def test_faces_are_found_for_other_weights_and_splits_too(lecture, seed):
    net, (group, true), (another, _) = lecture.face_experiment(seed)
    torch.manual_seed(seed)
    found = lecture.found_faces(net, group, true)
    assert found.precision > 0.7 and found.recall > 0.6 and found.ap > 0.75
    assert lecture.found_faces(net, another, true).ap < 0.3
    assert lecture.found_faces(lecture.face_net(), group, true).ap < 0.25
