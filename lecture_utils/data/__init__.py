"""Data for the lectures, nothing downloaded: digits, photos, streets.

The pictures come from inside the wheels of scikit-learn and scikit-image, the streets
from :mod:`lecture_utils.scenes`; MNIST is read from files of the reader's own.
``datasets`` is imported only when asked for.
"""

from lecture_utils.data.digits import Digits, digits, digits_dataset
from lecture_utils.data.mnist import mnist
from lecture_utils.data.photos import PHOTOS, photo
from lecture_utils.data.streets import Streets, scenes_dataset, streets

__all__ = [
    "PHOTOS",
    "Digits",
    "Streets",
    "digits",
    "digits_dataset",
    "mnist",
    "photo",
    "scenes_dataset",
    "streets",
]
