"""Geometry without weights: paths, rays, point clouds, renderers and camera files.

Axes are OpenCV (x right, y down, z forward), matrices are written ``destination_from_source``,
intrinsics are in pixels with pixel centres at integer coordinates unless a name says otherwise.
Nothing in this package imports ``pipelines``, ``tabs`` or gradio, and importing it does not import torch.
"""

from camera import _moved

_moved.install("camera", _moved.MODULES, {})
