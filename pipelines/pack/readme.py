"""The pack's own README: its contents and conventions."""

from __future__ import annotations

from camera.path import CameraPath
from camera.view import Scene

DEPTH_STEPS = 1000
"""Number of 16-bit depth steps at the distance of the subject."""
NO_DEPTH = 1e10
"""EXR value of sky and holes."""


def text(scene: Scene, path: CameraPath, unit: float, targets: str) -> str:
    length = "metres" if scene.unit == "metres" else "units of the scene, whose scale is unknown"
    return f"""# Control pack: {scene.name}

{len(path)} frames of {path.width} x {path.height} at {path.fps:g} frames a second. Lengths are in {length}. Depth: {scene.source}.
Frames are counted from 0000. What moves in a scene is taken to stand still from one frame to the next.

## Conventions
- Camera axes: x right, y down, z forward (OpenCV). The world is the scene's, in the same sense.
- Pixel centres lie at integers: the first pixel's is (0, 0). x runs right, y down.
- Depth is along z, not along the ray.

## Parts
| part | what |
|---|---|
| `warped/`, `warped.mp4` | the scene's own colours along the path, sRGB; black in holes |
| `holes/`, `holes.mp4` | white where the scene shows nothing, black elsewhere |
| `depth/*.exr` | channel Z, 32-bit float; {NO_DEPTH:g} in holes and sky |
| `depth16/*.png` | 16 bits: depth = value x {unit:.9g}; 0 without depth, 65535 and beyond cut off |
| `normals/*.png` | camera space: red right, green up, blue towards the viewer, (n + 1) / 2 in bytes; black without depth, and where no neighbour has any |
| `flow/*.flo` | Middlebury: pixels from this frame to the next; 1e10 without depth; none for the last frame |
| `tracks/tracks.json` | a list of {{x, y}} in pixels for each point, one entry a frame, in the form that nodes of Wan-Move and ATI take |
| `tracks/tracks_ati.json` | the same, each list ending where its point is hidden or leaves the picture: ATI fills the rest as hidden |
| `tracks/tracks.npz` | `track_path` (F,N,2) in pixels, `track_visibility` (F,N) |
| `grey_box.mp4` | the shapes alone, matt grey under one lamp |
| `cameras/` | the path in every file that Reshoot writes, each in its model's own conventions |

{targets}"""
