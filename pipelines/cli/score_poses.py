"""Score estimated camera poses against a requested path: two path files in any format, no estimator, one JSON.

    python -m pipelines.cli.score_poses REQUESTED ACHIEVED

Each number's convention is in docs/evaluation.md. A number that cannot be computed for these paths is null, with the reason beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from camera.errors import InputError
from camera.evaluation import paths, published
from camera.evaluation.take import compare_paths
from camera.formats import read
from camera.path import CameraPath


def scores(achieved: CameraPath, requested: CameraPath) -> dict[str, float | str | None]:
    """Every published metric by name, then the summary sentence; raises `InputError` if the numbers of frames differ."""
    found: dict[str, float | str | None] = {
        "rot_err_radians_sum": paths.rotation_error_radians_sum(achieved, requested),
        "mean_rotation_degrees": float(paths.rotation_error_degrees(achieved, requested).mean()),
        "trans_err_rel_sum": paths.translation_error_sum(achieved, requested, scale="rel"),
        "trans_err_abs_sum": paths.translation_error_sum(achieved, requested, scale="abs"),
        "cammc_rel_sum": paths.cammc_sum(achieved, requested, scale="rel"),
        "cammc_abs_sum": paths.cammc_sum(achieved, requested, scale="abs"),
        "auc_3": published.pose_auc(achieved, requested, degrees=3),
        "auc_30": published.pose_auc(achieved, requested, degrees=30),
        "camera_error": published.camera_error(achieved, requested),
        "camera_score": published.camera_score(achieved, requested),
        "words": compare_paths(achieved, requested).words,
    }
    try:
        steps = published.relative_pose_error(achieved, requested)
        found |= {
            "ate": published.absolute_trajectory_error(achieved, requested),
            "rpe_translation": steps.translation,
            "rpe_rotation_degrees": steps.rotation_degrees,
        }
    except InputError as error:
        found |= {"ate": None, "rpe_translation": None, "rpe_rotation_degrees": None, "no_alignment": str(error)}
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m pipelines.cli.score_poses", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("requested", type=Path)
    parser.add_argument("achieved", type=Path)
    asked = parser.parse_args(arguments)
    try:
        requested = read(asked.requested.name, asked.requested.read_bytes())
        achieved = read(asked.achieved.name, asked.achieved.read_bytes(), like=requested)
        print(json.dumps(scores(achieved, requested), indent=2))
    except (InputError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
