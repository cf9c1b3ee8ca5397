"""Gaussian splats as plain arrays. Imports no torch.

Kerbl et al., "3D Gaussian Splatting for Real-Time Radiance Field Rendering" (2023). Their files are in
`pipelines.splats.files`, the rasterizer in `pipelines.splats.rasterizer`, the fit to frames in
`pipelines.reconstruct.gaussians.fit`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.evaluation.paths import Similarity

SH_C0 = 0.28209479177387814
"""The constant spherical harmonic: a colour c in 0..1 is stored as (c - 0.5) / SH_C0."""
MOST_DEGREE = 3


@dataclass(frozen=True, eq=False)
class Splats:
    """N Gaussians in the world, OpenCV axes; checked on creation. All float32, in the order of 3DGS files.

    ``means`` (N,3). ``quaternions`` (N,4) wxyz, of any positive length. ``log_scales`` (N,3): natural logarithm of the
    standard deviations along the Gaussian's own axes, in scene units. ``logit_opacities`` (N,): opacity before the
    sigmoid. ``sh`` (N,K,3): spherical harmonics of the colour, K = (degree + 1)^2. Errors: `InputError`.
    """

    means: NDArray[np.float32]
    quaternions: NDArray[np.float32]
    log_scales: NDArray[np.float32]
    logit_opacities: NDArray[np.float32]
    sh: NDArray[np.float32]

    def __post_init__(self) -> None:
        n, k = len(self.means), self.sh.shape[1] if self.sh.ndim == 3 else 0
        shapes = {
            "means": (n, 3),
            "quaternions": (n, 4),
            "log_scales": (n, 3),
            "logit_opacities": (n,),
            "sh": (n, k, 3),
        }
        for declared in fields(self):
            array = np.ascontiguousarray(getattr(self, declared.name), dtype=np.float32)
            if array.shape != shapes[declared.name]:
                raise InputError(
                    f"Splats need {declared.name} of shape {shapes[declared.name]}, got {array.shape}; the file or the "
                    "fit is damaged."
                )
            if not np.isfinite(array).all():
                raise InputError(f"The splats contain {declared.name} that are not finite numbers; create them again.")
            object.__setattr__(self, declared.name, array)
        if k not in [(degree + 1) ** 2 for degree in range(MOST_DEGREE + 1)]:
            raise InputError(f"Splats have 1, 4, 9 or 16 harmonics per colour, got {k}.")

    def __len__(self) -> int:
        return len(self.means)

    @property
    def degree(self) -> int:
        """Degree of the spherical harmonics, 0 to 3."""
        return round(self.sh.shape[1] ** 0.5) - 1

    @property
    def opacities(self) -> NDArray[np.float32]:
        """(N,): opacities in 0..1."""
        return (1 / (1 + np.exp(-self.logit_opacities.astype(np.float64)))).astype(np.float32)

    @property
    def scales(self) -> NDArray[np.float32]:
        """(N,3) standard deviations in scene units."""
        return np.exp(self.log_scales)

    @property
    def colours(self) -> NDArray[np.float32]:
        """(N,3) in 0..1: the colours' part that does not depend on direction."""
        return np.clip(self.sh[:, 0] * np.float32(SH_C0) + np.float32(0.5), 0, 1)

    @property
    def middles(self) -> PointCloud:
        """The Gaussians' centres as points, with the colours of `colours`."""
        return PointCloud(self.means, (self.colours * 255).round().astype(np.uint8))

    def chosen(self, which: ArrayLike) -> Splats:
        """The splats selected by an index or a mask."""
        which = np.asarray(which)
        return Splats(*(getattr(self, declared.name)[which] for declared in fields(self)))

    def joined(self, other: Splats) -> Splats:
        """Both sets of splats; missing higher harmonics become zero."""
        most = max(self.sh.shape[1], other.sh.shape[1])
        sh = [np.pad(each.sh, ((0, 0), (0, most - each.sh.shape[1]), (0, 0))) for each in (self, other)]
        plain = ("means", "quaternions", "log_scales", "logit_opacities")
        both = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in plain}
        return Splats(**both, sh=np.concatenate(sh))

    def placed(self, similarity: Similarity) -> Splats:
        """Rotated, scaled and shifted; keeps only the direction-independent colours, because few viewers show more."""
        from scipy.spatial.transform import Rotation

        turned = Rotation.from_matrix(similarity.rotation) * Rotation.from_quat(np.roll(self.quaternions, -1, axis=1))
        return replace(
            self,
            means=similarity(self.means).astype(np.float32),
            quaternions=np.roll(turned.as_quat(), 1, axis=1).astype(np.float32),
            log_scales=self.log_scales + np.float32(np.log(similarity.scale)),
            sh=self.sh[:, :1],
        )
