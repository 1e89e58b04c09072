"""Street scenes: all ground truth of a scene agrees, and a seed is a scene."""

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lecture_utils import scenes
from lecture_utils.scenes import (
    LABEL_DIVISOR,
    THINGS,
    TIMES,
    Kind,
    Scale,
    project,
    scene,
)
from lecture_utils.scenes.camera import CENTRES, RAYS, Camera
from lecture_utils.scenes.street import Road, place


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
    assert s.semantic.max() < len(Kind)
    np.testing.assert_array_equal(s.instance > 0, np.isin(s.semantic, THINGS))
    label = np.append(0, s.labels)
    is_thing = s.instance > 0
    np.testing.assert_array_equal(label[s.instance][is_thing], s.semantic[is_thing])
    np.testing.assert_array_equal(s.panoptic // LABEL_DIVISOR, s.semantic)
    np.testing.assert_array_equal(s.panoptic % LABEL_DIVISOR, s.instance)


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
    ground = (s.instance == 0) & (s.semantic != Kind.SKY)
    horizon = int(s.K[1, 2])
    below = np.zeros(ground.shape, bool)
    below[horizon:] = True
    assert (s.depth > 0).all()
    np.testing.assert_array_equal(np.isinf(s.depth), s.semantic == Kind.SKY)
    assert not (below & (s.semantic == Kind.SKY)).any()
    y = points(s)[ground & below][:, 1]
    np.testing.assert_allclose(y, s.camera_height, rtol=1e-5)
    assert (s.depth[ground & ~below] == scenes.HILLS_DEPTH).all()
    assert not (~below & (s.semantic == Kind.ROAD)).any()


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
    assert (s.visible >= scenes.MIN_VISIBLE).all() and (s.visible <= 1).all()
    pixels = np.bincount(s.instance.ravel())[1:]
    assert (pixels >= scenes.MIN_PIXELS).all()


@pytest.mark.parametrize("seed", range(12))
def test_the_nearest_thing_is_seen(seed):
    """Owners, depths and visible shares, computed from whole silhouettes."""
    camera = Camera(size=64, f=54, horizon=25, height=2.2)
    layout = place(np.random.default_rng(seed), camera, 5, Road(0, 0.1), lit=0.5)
    rays = RAYS * camera.size
    depths = np.full((1 + len(layout.placed), rays, rays), np.inf, np.float32)
    for depth, (thing, silhouette) in zip(depths[1:], layout.placed, strict=True):
        depth[silhouette.window] = silhouette.depth
        alone = camera.silhouette(thing)
        np.testing.assert_array_equal(alone.depth, silhouette.depth)
        np.testing.assert_array_equal(alone.parts > 0, np.isfinite(alone.depth))
    assert len(layout.placed) >= 3
    np.testing.assert_array_equal(layout.owner, depths.argmin(0))
    np.testing.assert_array_equal(layout.nearest, depths.min(0))
    owner = layout.owner[CENTRES, CENTRES]
    whole = np.isfinite(depths[1:, CENTRES, CENTRES]).sum((1, 2))
    share = np.bincount(owner.ravel(), minlength=len(depths))[1:] / whole
    np.testing.assert_allclose(layout.visible, share, rtol=1e-6)


def test_fifty_streets_show_all_classes_scales_times_and_occlusion():
    many = [scene(seed) for seed in range(50)]
    labels = np.bincount(np.concatenate([s.labels for s in many]), minlength=7)
    scales = np.bincount(np.concatenate([s.scales for s in many]))
    visible = np.concatenate([s.visible for s in many])
    assert labels[[*THINGS]].min() > 0.15 * labels.sum()
    assert scales.min() > 0.28 * scales.sum()
    assert {s.time for s in many} == set(TIMES)
    assert (visible < 1).mean() > 0.15
    stuff = np.bincount(np.concatenate([s.semantic.ravel() for s in many]))
    assert stuff[:3].min() > 0.1 * stuff.sum()


CHECKSUMS = {
    (0, 32): "98aa8adba7e96f1a",
    (1, 64): "b7d6946a6475b53d",
    (2**32 - 1, 64): "fc6a28f793a10a06",
    (7, 256): "61c3cd782db376a9",
}


@pytest.mark.parametrize(("seed", "size"), CHECKSUMS)
def test_a_seed_gives_the_same_bytes_everywhere(seed, size):
    s = scene(seed, size)
    data = s.image.tobytes() + s.semantic.tobytes() + s.instance.tobytes()
    assert sha256(data).hexdigest()[:16] == CHECKSUMS[seed, size]


def test_scenes_differ_and_integers_of_numpy_are_seeds():
    assert (scene(1).image != scene(2).image).any()
    np.testing.assert_array_equal(scene(np.int64(5)).image, scene(5).image)


def test_number_of_things_can_be_asked_for():
    assert len(scene(3, n_things=(1, 1)).labels) == 1
    assert len(scene(3, n_things=(0, 0)).boxes) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(seed=-1), "seed — -1, а нужно целое число от 0 до 4294967295"),
        (dict(seed=2**32), "seed — 4294967296"),
        (dict(seed=1.5), "seed — 1.5"),
        (dict(seed="a"), "seed — 'a'"),
        (dict(seed=True), "seed — True"),
        (dict(seed=0, size=31), "size — 31, а нужно целое число от 32 до 256"),
        (dict(seed=0, size=257), "size — 257"),
        (dict(seed=0, n_things=(3, 2)), "наименьшее, наибольшее"),
        (dict(seed=0, n_things=(0, -2)), "n_things — -2"),
        (dict(seed=0, n_things=(60, 60)), "не меньше 60"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        scene(**arguments)


def test_project():
    K = np.array([[50, 0, 32], [0, 40, 20], [0, 0, 1]])
    points = np.array([[0, 0, 7], [1, 2, 4]])
    np.testing.assert_array_equal(project(points, K), [[32, 20], [44.5, 40]])
    with pytest.raises(ValueError, match=r"форма точек — \(2,\), а нужна"):
        project([1, 2], K)
    with pytest.raises(ValueError, match="Z = -1, а нужно Z > 0"):
        project([0, 0, -1], K)


def test_tables_fit_together():
    assert len(Kind) == len(scenes.CLASSES_RU) == len(scenes.PALETTE)
    assert len(Scale) == len(scenes.SCALE_RANGES)
    s = scene(0)
    edges = s.corners[0][list(scenes.BOX_EDGES)]
    lengths = np.abs(edges[:, 0] - edges[:, 1])
    assert len(edges) == 12 and ((lengths > 0).sum(1) == 1).all()
