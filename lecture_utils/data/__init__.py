"""Data for the lectures, nothing downloaded: digits, photos, faces, streets.

The pictures come from inside the wheels of scikit-learn and scikit-image, the streets
from :mod:`lecture_utils.scenes`, 5000 digits of MNIST lie beside this file.
``datasets`` is imported only when asked for.
"""

from lecture_utils.data.digits import Digits, digits
from lecture_utils.data.faces import Faces, faces
from lecture_utils.data.mnist import like_mnist, mnist
from lecture_utils.data.photos import BOXES, PHOTOS, PHOTOS_RU, box_mask, photo
from lecture_utils.data.stereo import Stereo, stereo
from lecture_utils.data.streets import Streets, scenes_dataset, streets

__all__ = [
    "BOXES",
    "PHOTOS",
    "PHOTOS_RU",
    "Digits",
    "Faces",
    "Stereo",
    "Streets",
    "box_mask",
    "digits",
    "faces",
    "like_mnist",
    "mnist",
    "photo",
    "scenes_dataset",
    "stereo",
    "streets",
]
