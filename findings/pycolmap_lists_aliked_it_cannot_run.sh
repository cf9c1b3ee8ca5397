#!/usr/bin/env bash
# One would guess: a feature type that pycolmap lists, whose options pass `check()` and print themselves, can be extracted; at worst a
# model file has to be downloaded first. COLMAP 4 has ALIKED, LoMa and LightGlue, and `FeatureExtractorType` has ALIKED_N16ROT.
# What happens: the wheels on PyPI are built without ONNX. The type is there, `check()` is true, and only making the extractor (or the
# matcher) raises a RuntimeError. The options of ALIKED (model file, number of keypoints) are not there at all, and `summary()` prints
# those of SIFT under the other type.
# Why it matters: "use ALIKED where pycolmap has it" cannot be decided by looking at the enumeration or at the options; a program that
# does fails in the middle of a reconstruction. Learned matches have to come from another package and be written to the database.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check "pycolmap==4.2.1" "numpy==2.2.6"
"$folder/venv/bin/python" - <<'PY'
import pycolmap

print("pycolmap", pycolmap.__version__)
options = pycolmap.FeatureExtractionOptions()
options.type = pycolmap.FeatureExtractorType.ALIKED_N16ROT
print("type:", options.type, " check():", options.check(), " has options of ALIKED:", hasattr(options, "aliked"))
print("summary names SIFT's options:", "SiftExtractionOptions" in options.summary())
matching = pycolmap.FeatureMatchingOptions()
matching.type = pycolmap.FeatureMatcherType.ALIKED_LIGHTGLUE
print("type:", matching.type, " check():", matching.check())


def refused(make) -> bool:
    try:
        make()
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        return "ONNX" in str(error)
    return False


assert options.check() and matching.check() and not hasattr(options, "aliked")
assert "SiftExtractionOptions" in options.summary()
assert refused(lambda: pycolmap.FeatureExtractor.create(options))
assert refused(lambda: pycolmap.FeatureMatcher.create(matching))
PY
