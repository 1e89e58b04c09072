"""Checks of the exercises, one module per notebook; importing registers them."""

from lecture_utils.checks import resnet

__all__ = ["resnet"]
