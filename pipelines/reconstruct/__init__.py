"""From posed frames to 3D: points, meshes, Gaussian splats, and the folders that other tools read.

Other models can be plugged in at three places, each a plain function or value:

- a matcher such as MASt3R is a `pipelines.estimation.colmap.Matcher`: (frames, wanted pairs) to keypoints and matches, for
  `pipeline.make(..., cameras="estimated", matcher=...)` and `scene.scene_from_frames`; `pipelines.estimation.matching.lightglue` is one;
- a depth model is a `scene.Estimate`: a frame to its depth of any scale, for `scene.scene_from_frames(..., estimate=...)`;
- a model that returns cameras and depth together, such as VGGT, provides a `pipeline.Shots` with ``aligned=True``: its depth has
  its cameras' scale already.

On the command line ``--matcher MODULE:FUNCTION`` and ``--model MODULE:FUNCTION`` name them, see `pipelines.reconstruct.plugin`.
"""
