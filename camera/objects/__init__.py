"""Objects in a scene: models, their files, placement."""

from camera._moved import attributes

__getattr__ = attributes("camera.objects", "scene")
