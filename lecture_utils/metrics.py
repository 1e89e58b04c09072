"""Metrics as `evaluate.Metric` classes that need no network.

`evaluate.load("accuracy")` fetches a script from the Hub; a class defined here has
the same interface (`add_batch`, `compute`) and always works.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import evaluate
import numpy as np
import torch
from torchvision.ops import box_iou

from lecture_utils.scenes import LABEL_DIVISOR

_LABEL = datasets.Value("int64")
_LABEL_MAP = datasets.List(datasets.List(_LABEL))  # (H, W)
_BOXES = datasets.List(datasets.List(datasets.Value("float64"), length=4))  # (N, 4)


def _info(description: str, prediction, reference) -> evaluate.MetricInfo:
    features = {"predictions": prediction, "references": reference}
    return evaluate.MetricInfo(
        description=description, citation="", features=datasets.Features(features)
    )


class _Metric(evaluate.Metric):
    """Needs no folder of the user's: a home may be read-only or full."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"cache_dir": _folder().name} | options)


@cache
def _folder() -> TemporaryDirectory:
    """Gone when Python ends."""
    return TemporaryDirectory(prefix="lecture-metrics-", ignore_cleanup_errors=True)


class Accuracy(_Metric):
    """Share of predictions equal to the references, in [0, 1]."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("Share of right answers.", _LABEL, _LABEL)

    def _compute(self, predictions: list[int], references: list[int]) -> dict:  # ty: ignore[incompatible-method-override]
        return {"accuracy": float(np.mean(np.equal(predictions, references)))}


class MeanIoU(_Metric):
    """Intersection over union of every class, and its mean: semantic segmentation.

    One example is a label map (H, W). Pixels are counted over all examples first; the
    mean is over the classes that occur in the predictions or in the references.
    Raises ValueError when the two maps of an example differ in shape.
    Source: M. Everingham et al., *The Pascal Visual Object Classes Challenge*, 2015.
    """

    def _info(self) -> evaluate.MetricInfo:
        return _info("Mean intersection over union.", _LABEL_MAP, _LABEL_MAP)

    def _compute(self, predictions: list, references: list) -> dict:  # ty: ignore[incompatible-method-override]
        both, either = Counter(), Counter()
        for pair in zip(predictions, references, strict=True):
            predicted, true = _same_shape(*pair)
            for label in np.union1d(predicted, true).tolist():
                p, t = predicted == label, true == label
                both[label] += int((p & t).sum())
                either[label] += int((p | t).sum())
        iou = {label: both[label] / either[label] for label in sorted(either)}
        return {"mean_iou": float(np.mean(list(iou.values()))), "per_class": iou}


class AveragePrecision(_Metric):
    """Area under the precision-recall curve of the boxes of one class: detection.

    A prediction is ``{"boxes": (N, 4) xyxy, "scores": (N,)}``, a reference is
    ``{"boxes": (M, 4)}``. From the surest box down, a box is right when the free
    reference of its image with the largest IoU reaches 1/2, and takes it.
    Precision at a recall is the best one at that recall or beyond, at every recall
    (all-point interpolation; COCO samples 101 of them). NaN when there is no
    reference box, as recall is not defined then.
    Raises ValueError when the numbers of boxes and scores of an image differ.
    Source: M. Everingham et al., 2015; T.-Y. Lin et al., *Microsoft COCO*, 2014.
    """

    def _info(self) -> evaluate.MetricInfo:
        scores = datasets.List(datasets.Value("float64"))
        return _info(
            "Average precision of one class.",
            {"boxes": _BOXES, "scores": scores},
            {"boxes": _BOXES},
        )

    def _compute(self, predictions: list, references: list) -> dict:  # ty: ignore[incompatible-method-override]
        value = _average_precision(predictions, references)
        return {"average_precision": value}


class PanopticQuality(_Metric):
    """Quality of segments: ``PQ = SQ * RQ`` of every class, averaged over classes.

    One example is a panoptic map (H, W) of ``LABEL_DIVISOR * class + instance``. Two
    segments of one class match when their IoU exceeds 1/2. SQ is the mean IoU of the
    matches, RQ the F1 score of finding segments. Means are over the classes that occur.
    Raises ValueError when the two maps of an example differ in shape.
    Source: A. Kirillov et al., *Panoptic Segmentation*, 2019, equations 1 and 2.
    """

    def _info(self) -> evaluate.MetricInfo:
        return _info("Panoptic quality.", _LABEL_MAP, _LABEL_MAP)

    def _compute(self, predictions: list, references: list) -> dict:  # ty: ignore[incompatible-method-override]
        matched, segments, iou_sum = Counter(), Counter(), defaultdict(float)
        for pair in zip(predictions, references, strict=True):
            predicted, true = _same_shape(*pair)
            for side in (predicted, true):
                segments.update((np.unique(side) // LABEL_DIVISOR).tolist())
            for label, iou in _matches(predicted, true):
                matched[label] += 1
                iou_sum[label] += iou
        # Segments of both sides together: 2 TP + FP + FN.
        rq = {label: 2 * matched[label] / n for label, n in sorted(segments.items())}
        sq = {label: iou_sum[label] / max(matched[label], 1) for label in rq}
        pq = {label: sq[label] * rq[label] for label in rq}
        return {
            "panoptic_quality": float(np.mean(list(pq.values()))),
            "segmentation_quality": float(np.mean(list(sq.values()))),
            "recognition_quality": float(np.mean(list(rq.values()))),
            "per_class": pq,
        }


def _same_shape(prediction: list, reference: list) -> tuple[np.ndarray, np.ndarray]:
    predicted, true = np.array(prediction), np.array(reference)
    if predicted.shape != true.shape or predicted.size == 0:
        raise ValueError(
            f"Форма предсказанной карты — {predicted.shape}, верной — {true.shape}, а "
            "нужны две карты (H, W) одного размера. Измените размер предсказания."
        )
    return predicted, true


def _matches(predicted: np.ndarray, true: np.ndarray) -> Iterator[tuple[int, float]]:
    """Class and IoU of each pair of segments of one class with an IoU above 1/2."""
    for p, t in np.unique([predicted.ravel(), true.ravel()], axis=1).T:
        iou = ((predicted == p) & (true == t)).sum() / (
            (predicted == p) | (true == t)
        ).sum()
        if p // LABEL_DIVISOR == t // LABEL_DIVISOR and iou > 0.5:
            yield int(p // LABEL_DIVISOR), float(iou)


def _average_precision(predictions: list, references: list) -> float:
    n_true = sum(len(reference["boxes"]) for reference in references)
    if n_true == 0:
        return float("nan")
    scores, right = [], []
    for prediction, reference in zip(predictions, references, strict=True):
        if len(prediction["boxes"]) != len(prediction["scores"]):
            raise ValueError(
                f"На одной картинке рамок {len(prediction['boxes'])}, а оценок "
                f"уверенности {len(prediction['scores'])}: нужно по одной на рамку."
            )
        order = np.argsort(np.negative(prediction["scores"]), kind="stable")
        scores.extend(np.take(prediction["scores"], order))
        found, true = (
            torch.tensor(side["boxes"], dtype=torch.float64).view(-1, 4)
            for side in (prediction, reference)
        )
        iou = box_iou(found, true).numpy()  # (N, M); NaN, no match, without any area
        for i in order:
            best = int(iou[i].argmax()) if iou.shape[1] else None
            right.append(best is not None and iou[i, best] >= 1 / 2)
            if right[-1]:
                iou[:, best] = -1  # taken
    order = np.argsort(np.negative(scores), kind="stable")
    hits = np.cumsum(np.array(right, dtype=bool)[order])
    recall = np.concatenate([[0], hits / n_true])
    precision = hits / np.arange(1, len(hits) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall) * best_from_here).sum())
