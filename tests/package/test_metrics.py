"""Metrics equal independent references and hand-computed cases; empty inputs too."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_curve
from torchmetrics.detection import PanopticQuality as ReferencePanopticQuality
from torchmetrics.functional import jaccard_index
from torchvision.ops import box_iou

from lecture_utils.metrics import Accuracy, AveragePrecision, MeanIoU, PanopticQuality
from lecture_utils.scenes import LABEL_DIVISOR

BOX, FAR = [0, 0, 4, 4], [10, 10, 14, 14]


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_accuracy():
    metric = Accuracy()
    metric.add_batch(predictions=torch.tensor([1, 2]), references=torch.tensor([1, 0]))
    metric.add(prediction=3, reference=3)
    assert metric.compute() == {"accuracy": 2 / 3}


def test_no_folder_of_the_user_is_needed(monkeypatch, tmp_path):
    file = tmp_path / "home"
    file.touch()
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", str(file / "metrics"))
    metric = Accuracy()
    metric.add(prediction=3, reference=3)
    assert metric.compute() == {"accuracy": 1.0}


# --- mean IoU -------------------------------------------------------------------------


def mean_iou(predictions, references) -> dict:
    metric = MeanIoU()
    for prediction, reference in zip(predictions, references, strict=True):
        metric.add(prediction=prediction, reference=reference)
    return metric.compute()


@pytest.mark.parametrize("seed", range(8))
def test_mean_iou_equals_torchmetrics(seed: int):
    rng = generator(seed)
    classes, height, width = rng.integers(1, 6), *rng.integers(1, 9, 2)
    maps = rng.integers(0, classes, (2, 3, height, width))
    want = jaccard_index(
        *torch.tensor(maps), task="multiclass", num_classes=7, average="macro"
    )
    assert mean_iou(*maps)["mean_iou"] == pytest.approx(want.item(), rel=1e-6)


def test_mean_iou_by_hand():
    got = mean_iou([[[0, 0], [1, 1]]], [[[0, 1], [1, 1]]])
    assert got["per_class"] == {0: 1 / 2, 1: 2 / 3}
    assert got["mean_iou"] == pytest.approx(7 / 12)


def test_mean_iou_counts_pixels_of_all_maps_together():
    one_by_one = mean_iou([[[0]], [[0, 0, 0]]], [[[1]], [[0, 0, 0]]])
    assert one_by_one["per_class"] == {0: 3 / 4, 1: 0}


def test_mean_iou_of_one_pixel():
    assert mean_iou([[[5]]], [[[5]]]) == {"mean_iou": 1, "per_class": {5: 1}}
    assert mean_iou([[[5]]], [[[4]]]) == {"mean_iou": 0, "per_class": {4: 0, 5: 0}}


@pytest.mark.parametrize("metric", [MeanIoU, PanopticQuality])
@pytest.mark.parametrize(
    ("prediction", "reference"), [([[1]], [[1, 1]]), ([[]], [[]]), ([[1]], [[1], [1]])]
)
def test_maps_of_different_shape_are_refused(metric, prediction, reference):
    metric = metric()
    metric.add(prediction=prediction, reference=reference)
    with pytest.raises(ValueError, match="две карты"):
        metric.compute()


# --- average precision ----------------------------------------------------------------


def value(*images) -> float:
    """Average precision; ``images``: pairs of [(box, score), …] and [true box, …]."""
    metric = AveragePrecision()
    for found, true in images:
        boxes, scores = [box for box, _ in found], [score for _, score in found]
        metric.add(
            prediction={"boxes": boxes, "scores": scores}, reference={"boxes": true}
        )
    return metric.compute()["average_precision"]


@pytest.mark.parametrize(
    ("want", "images"),
    [
        (1, [([(BOX, 0.9), (FAR, 0.8)], [FAR, BOX])]),
        (1, [([(BOX, 0.9), (FAR, 0.1)], [BOX])]),  # a late mistake costs nothing
        (1 / 2, [([(FAR, 0.9), (BOX, 0.1)], [BOX])]),
        (1 / 2, [([(BOX, 0.9)], [BOX, FAR])]),
        (1 / 2, [([(BOX, 0.9), (BOX, 0.8)], [BOX, FAR])]),  # a twin is a mistake
        (0, [([(FAR, 0.9)], [BOX])]),
        (0, [([], [BOX])]),
        (1 / 2, [([], [BOX]), ([(BOX, 0.5)], [BOX])]),
        (1 / 2, [([(BOX, 0.9)], []), ([(BOX, 0.5)], [BOX])]),
        # right, wrong, right: precision 1 up to recall 1/2, then 2/3
        (5 / 6, [([(BOX, 0.9), ([20, 20, 21, 21], 0.8), (FAR, 0.7)], [BOX, FAR])]),
        (0, [([([2, 2, 2, 2], 0.9)], [[2, 2, 2, 2]])]),  # boxes without area
    ],
)
def test_average_precision_by_hand(want: float, images):
    assert value(*images) == pytest.approx(want)


@pytest.mark.parametrize("images", [[([], [])], [([(BOX, 0.9)], [])]])
def test_average_precision_without_references_is_not_defined(images):
    assert np.isnan(value(*images))


@pytest.mark.parametrize(("width", "want"), [(2, 1), (1.9, 0)])
def test_half_an_overlap_is_enough(width: float, want: float):
    assert value(([([0, 0, width, 4], 0.9)], [BOX])) == want


def test_a_box_takes_the_free_reference_that_it_covers_best():
    # `low` overlaps `near` by more than a half and BOX by less.
    near, low = [0, 0, 4, 3], [0, 0, 4, 1.9]
    assert value(([(BOX, 0.9), (low, 0.8)], [near, BOX])) == 1


def reference_ap(images) -> float:
    """Matching box by box, then scikit-learn's curve and the integral by definition."""
    scores, right = [], []
    for found, true in images:
        free = list(range(len(true)))
        for box, score in sorted(found, key=lambda pair: -pair[1]):
            overlaps = {
                j: box_iou(torch.tensor([box]), torch.tensor([true[j]])).item()
                for j in free
            }
            best = max(overlaps, key=overlaps.get, default=None)
            scores.append(score)
            right.append(best is not None and overlaps[best] >= 1 / 2)
            if right[-1]:
                free.remove(best)
        scores += [-1] * len(free)  # references that nobody found
        right += [True] * len(free)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precision, recall, thresholds = precision_recall_curve(right, scores)
    real = np.append(thresholds >= 0, True)
    precision, recall = precision[real], recall[real]
    grid = np.unique(recall)[1:]
    steps = np.diff(np.concatenate([[0], grid]))
    best = [precision[recall >= r].max() for r in grid]
    return float(np.dot(steps, best))


def random_boxes(rng, n: int) -> list:
    low = rng.integers(0, 6, (n, 2))
    return np.concatenate([low, low + rng.integers(1, 6, (n, 2))], 1).tolist()


@pytest.mark.parametrize("seed", range(12))
def test_average_precision_equals_the_definition(seed: int):
    rng = generator(seed)
    images = []
    for _ in range(4):
        n, m = rng.integers(0, 6, 2)
        scores = rng.permutation(n) + rng.random()  # no ties
        found = list(zip(random_boxes(rng, n), scores.tolist(), strict=True))
        images.append((found, random_boxes(rng, m)))
    images.append(([], random_boxes(rng, 1)))
    assert value(*images) == pytest.approx(reference_ap(images))


def test_average_precision_needs_a_score_per_box():
    metric = AveragePrecision()
    metric.add(prediction={"boxes": [BOX], "scores": []}, reference={"boxes": [BOX]})
    with pytest.raises(ValueError, match="по одной на рамку"):
        metric.compute()


# --- panoptic quality -----------------------------------------------------------------


def panoptic_quality(predictions, references) -> dict:
    metric = PanopticQuality()
    metric.add_batch(predictions=predictions, references=references)
    return metric.compute()


def spoiled(rng, maps: np.ndarray) -> np.ndarray:
    """The maps with some pixels given to other segments."""
    change = rng.random(maps.shape) < rng.uniform(0, 0.6)
    return np.where(change, rng.permutation(maps.ravel()).reshape(maps.shape), maps)


@pytest.mark.parametrize("seed", range(8))
def test_panoptic_quality_equals_torchmetrics(seed: int):
    rng = generator(seed)
    height, width = rng.integers(1, 9, 2)
    label = rng.integers(0, 4, (3, height, width))
    instance = np.where(label >= 2, rng.integers(1, 3, label.shape), 0)
    true = LABEL_DIVISOR * label + instance
    predicted = spoiled(rng, true)

    def split(maps):
        return torch.tensor(np.stack(np.divmod(maps, LABEL_DIVISOR), -1))

    reference = ReferencePanopticQuality(
        things={2, 3}, stuffs={0, 1}, return_sq_and_rq=True
    )
    pq, sq, rq = reference(split(predicted), split(true)).tolist()
    got = panoptic_quality(predicted, true)
    assert got["panoptic_quality"] == pytest.approx(pq, rel=1e-6)
    assert got["segmentation_quality"] == pytest.approx(sq, rel=1e-6)
    assert got["recognition_quality"] == pytest.approx(rq, rel=1e-6)


def test_panoptic_quality_by_hand():
    true = [[3001, 3001, 3001, 3002, 1000, 1000]]
    predicted = [[3001, 3001, 1000, 3002, 1000, 3003]]
    got = panoptic_quality([predicted], [true])
    # cars: IoU 2/3 and 1 match, one is false; ground: IoU 1/3 is no match
    assert got["per_class"] == {1: 0, 3: pytest.approx((2 / 3 + 1) / 2.5)}
    assert got["panoptic_quality"] == pytest.approx(1 / 3)


def test_numbers_of_instances_do_not_matter():
    true = [[3001, 3001, 3002, 6003]]
    predicted = [[3007, 3007, 3004, 6001]]
    assert panoptic_quality([predicted], [true])["panoptic_quality"] == 1


@pytest.mark.parametrize(
    ("predicted", "want"), [(1000, 1), (2000, 0), (3001, 0), (1001, 1)]
)
def test_panoptic_quality_of_one_pixel(predicted: int, want: int):
    got = panoptic_quality([[[predicted]]], [[[1000]]])
    assert got["panoptic_quality"] == want


def test_half_an_overlap_is_no_match():
    got = panoptic_quality([[[3001, 3001, 0]]], [[[3001, 0, 0]]])
    assert got["per_class"] == {0: 0, 3: 0}
