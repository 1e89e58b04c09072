"""Street scenes: all ground truth of a scene agrees, and a seed is a scene."""

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lecture_utils import scenes
from lecture_utils.scenes import CLASSES, THINGS, project, scene


def on_streets(test):
    """Run a property test on random streets, the smallest and the largest ones too."""

    def on_street(seed, size):
        test(scene(seed, size))

    on_street.__name__, on_street.__doc__ = test.__name__, test.__doc__
    run = given(seed=st.integers(0, 2**32 - 1), size=st.integers(32, 128))(on_street)
    run = example(seed=0, size=32)(example(seed=1, size=256)(run))
    return settings(max_examples=25, deadline=None, derandomize=True)(run)


def points(s):
    """(H, W, 3) point in space that each pixel's centre shows, from depth and K."""
    v, u = np.mgrid[: len(s.depth), : len(s.depth)] + 0.5
    depth = np.where(np.isinf(s.depth), 0, s.depth).astype(float)
    x = (u - s.K[0, 2]) / s.K[0, 0] * depth
    y = (v - s.K[1, 2]) / s.K[1, 1] * depth
    return np.stack([x, y, depth], -1)


@on_streets
def test_fields_have_the_promised_shapes_and_types(s):
    n, shape = len(s.labels), s.depth.shape
    expected = {
        "image": (np.uint8, (*shape, 3)),
        "semantic": (np.uint8, shape),
        "instance": (np.uint8, shape),
        "panoptic": (np.int32, shape),
        "depth": (np.float32, shape),
        "boxes": (np.float32, (n, 4)),
        "labels": (np.int64, (n,)),
        "scales": (np.int64, (n,)),
        "visible": (np.float32, (n,)),
        "boxes3d": (np.float32, (n, 7)),
        "corners": (np.float32, (n, 8, 3)),
        "K": (np.float32, (3, 3)),
    }
    assert {k: (getattr(s, k).dtype, getattr(s, k).shape) for k in expected} == expected
    assert 3 <= n <= 6


@on_streets
def test_every_pixel_has_one_label_and_panoptic_decodes(s):
    assert s.semantic.max() < len(CLASSES)
    np.testing.assert_array_equal(s.instance == 0, s.semantic < min(THINGS))
    label = np.append(0, s.labels)
    is_thing = s.instance > 0
    np.testing.assert_array_equal(label[s.instance][is_thing], s.semantic[is_thing])
    np.testing.assert_array_equal(s.panoptic // 1000, s.semantic)
    np.testing.assert_array_equal(s.panoptic % 1000, s.instance)


@on_streets
def test_boxes_are_tight_around_visible_pixels(s):
    assert set(np.unique(s.instance)) - {0} == set(range(1, len(s.boxes) + 1))
    for k, (x0, y0, x1, y1) in enumerate(s.boxes.astype(int), 1):
        inside = np.zeros(s.instance.shape, bool)
        inside[y0:y1, x0:x1] = True
        mine = s.instance == k
        assert not mine[~inside].any()
        for edge in (mine[y0, :], mine[y1 - 1, :], mine[:, x0], mine[:, x1 - 1]):
            assert edge.any()


@on_streets
def test_projected_3d_box_contains_2d_box(s):
    uv = project(s.corners, s.K)
    low, high = np.floor(uv.min(1)), np.ceil(uv.max(1))  # whole pixels
    assert (low <= s.boxes[:, :2]).all()
    assert (high >= s.boxes[:, 2:]).all()


@on_streets
def test_every_visible_point_of_a_thing_lies_in_its_3d_box(s):
    for k, box in enumerate(s.boxes3d.astype(float), 1):
        outside = np.abs(points(s)[s.instance == k] - box[:3]) - box[3:6] / 2
        assert outside.max() < 1e-4 * box[2]


@on_streets
def test_3d_boxes_stand_on_the_ground_and_do_not_intersect(s):
    low, high = s.corners.min(1), s.corners.max(1)
    np.testing.assert_allclose(high[:, 1], s.camera_height, atol=1e-5)
    for i in range(len(low)):
        for j in range(i):
            apart = np.maximum(low[i] - high[j], low[j] - high[i])[[0, 2]]
            assert apart.max() > -1e-4


@on_streets
def test_depth_of_stuff(s):
    ground = (s.instance == 0) & (s.semantic > 0)
    horizon = int(s.K[1, 2])
    below = np.zeros(ground.shape, bool)
    below[horizon:] = True
    assert (s.depth > 0).all()
    np.testing.assert_array_equal(np.isinf(s.depth), s.semantic == 0)
    assert not (below & (s.semantic == 0)).any()
    y = points(s)[ground & below][:, 1]
    np.testing.assert_allclose(y, s.camera_height, rtol=1e-5)
    assert (s.depth[ground & ~below] == scenes.HILLS_DEPTH).all()
    assert not (~below & (s.semantic == 2)).any()


@on_streets
def test_scale_is_the_apparent_height(s):
    front = s.boxes3d[:, 2] - s.boxes3d[:, 5] / 2
    height = s.K[1, 1] * s.boxes3d[:, 4] / front / len(s.depth)
    low, high = np.array(scenes.SCALE_RANGES)[s.scales].T
    assert (height > low - 1e-4).all() and (height < high + 1e-4).all()


@on_streets
def test_things_are_numbered_from_near_to_far_and_keep_in_view(s):
    front = s.boxes3d[:, 2] - s.boxes3d[:, 5] / 2
    assert (np.diff(front) > -1e-4).all()
    assert (s.visible >= 0.35).all() and (s.visible <= 1).all()
    pixels = np.bincount(s.instance.ravel())[1:]
    assert (pixels >= scenes.MIN_PIXELS).all()


@pytest.mark.parametrize("seed", range(12))
def test_the_nearest_thing_is_seen(seed, monkeypatch):
    """Instance, depth and visible share, recomputed from whole silhouettes."""
    drawn = []
    original = scenes._rasterise

    def record(thing, camera):
        drawn.append((thing, *original(thing, camera)[:3]))
        return (*drawn[-1][1:], [("none", 0)] * 256)

    monkeypatch.setattr(scenes, "_rasterise", record)
    s = scene(seed)
    depths = np.full((len(s.labels), 3 * 64, 3 * 64), np.inf, np.float32)
    front = s.boxes3d[:, 2] - s.boxes3d[:, 5] / 2
    for thing, window, _parts, depth in drawn:
        gap = np.abs(s.boxes3d[:, 0] - thing.x) + np.abs(front - thing.z)
        if gap.min() < 1e-4:
            depths[gap.argmin()][window] = depth
    depths = depths[:, 1::3, 1::3]
    seen = np.isfinite(depths).any(0)
    np.testing.assert_array_equal(s.instance[seen], depths.argmin(0)[seen] + 1)
    assert not s.instance[~seen].any()
    np.testing.assert_array_equal(s.depth[seen], depths.min(0)[seen])
    whole = np.isfinite(depths).sum((1, 2))
    share = np.bincount(s.instance.ravel())[1:] / whole
    np.testing.assert_allclose(s.visible, share, rtol=1e-6)


def test_fifty_streets_show_all_classes_scales_times_and_occlusion():
    many = [scene(seed) for seed in range(50)]
    labels = np.bincount(np.concatenate([s.labels for s in many]), minlength=7)
    scales = np.bincount(np.concatenate([s.scales for s in many]))
    visible = np.concatenate([s.visible for s in many])
    assert labels[list(THINGS)].min() > 0.15 * labels.sum()
    assert scales.min() > 0.28 * scales.sum()
    assert {s.time for s in many} == set(scenes.TIMES)
    assert (visible < 1).mean() > 0.15
    stuff = np.bincount(np.concatenate([s.semantic.ravel() for s in many]))
    assert stuff[:3].min() > 0.1 * stuff.sum()


CHECKSUMS = {
    (0, 32): "98aa8adba7e96f1a",
    (1, 64): "b7d6946a6475b53d",
    (2**32 - 1, 64): "fc6a28f793a10a06",
    (7, 256): "61c3cd782db376a9",
}


@pytest.mark.parametrize(
    ("seed", "size"), [(0, 32), (1, 64), (2**32 - 1, 64), (7, 256)]
)
def test_a_seed_gives_the_same_bytes_everywhere(seed, size):
    s = scene(seed, size)
    data = s.image.tobytes() + s.semantic.tobytes() + s.instance.tobytes()
    assert sha256(data).hexdigest()[:16] == CHECKSUMS[seed, size]


def test_scenes_differ_and_integers_of_numpy_are_seeds():
    assert (scene(1).image != scene(2).image).any()
    np.testing.assert_array_equal(scene(np.int64(5)).image, scene(5).image)


def test_number_of_things_and_visible_share_can_be_asked_for():
    assert len(scene(3, n_things=(1, 1)).labels) == 1
    assert len(scene(3, n_things=(0, 0)).boxes) == 0
    assert (scene(3, n_things=(5, 5), min_visible=1).visible == 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(seed=-1), "seed is -1, expected a whole number from 0 to 4294967295"),
        (dict(seed=2**32), "seed is 4294967296"),
        (dict(seed=1.5), "seed is 1.5"),
        (dict(seed="a"), "seed is 'a'"),
        (dict(seed=True), "seed is True"),
        (dict(seed=0, size=31), "size is 31, expected a whole number from 32 to 256"),
        (dict(seed=0, size=257), "size is 257"),
        (dict(seed=0, n_things=(3, 2)), "least, greatest"),
        (dict(seed=0, n_things=(0, -2)), "n_things is -2"),
        (dict(seed=0, n_things=(60, 60)), "ask for fewer n_things"),
        (dict(seed=0, min_visible=1.2), "min_visible is 1.2"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        scene(**arguments)


def test_project():
    K = np.array([[50, 0, 32], [0, 40, 20], [0, 0, 1]])
    points = np.array([[0, 0, 7], [1, 2, 4]])
    np.testing.assert_array_equal(project(points, K), [[32, 20], [44.5, 40]])
    with pytest.raises(ValueError, match=r"shape \(2,\), expected"):
        project([1, 2], K)
    with pytest.raises(ValueError, match="Z = -1, expected Z > 0"):
        project([0, 0, -1], K)


def test_tables_fit_together():
    assert len(CLASSES) == len(scenes.CLASSES_RU) == len(scenes.PALETTE) == 7
    assert (*scenes.STUFF, *THINGS) == tuple(range(7))
    s = scene(0)
    edges = s.corners[0][list(scenes.BOX_EDGES)]
    lengths = np.abs(edges[:, 0] - edges[:, 1])
    assert len(edges) == 12 and ((lengths > 0).sum(1) == 1).all()
