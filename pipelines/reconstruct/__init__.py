"""From posed frames to 3D: points, meshes, Gaussian splats, and the folders that other tools read.

Other people's models are plugged in at three places, each a plain function or value:

- a matcher such as MASt3R is a `pipelines.estimation.colmap.Matcher`: (frames, wanted pairs) to keypoints and matches, for
  `making.make(..., cameras="estimated", matcher=...)` and `scene.scene_of`; `pipelines.estimation.matching.lightglue` is one;
- a depth model is a `scene.Estimate`: a frame to its depth of any scale, for `scene.scene_of(..., estimate=...)`;
- a model that gives cameras and depth at once, such as VGGT, fills `making.Shots` with ``aligned=True``: its depth has its
  cameras' scale already.

On the command line ``--matcher MODULE:FUNCTION`` and ``--model MODULE:FUNCTION`` name them, see `pipelines.reconstruct.plugin`.
"""
