"""Everything with weights: one folder per method, and what they share.

The public face: `NAMES` and `method` (records, cheap to import: no torch), `generate` and `forecast`; rehearsals are in `rehearsal`.
"""

from camera._moved import install
from pipelines import _moved
from pipelines.registry import NAMES, method
from pipelines.runtime.dispatch import forecast, generate

__all__ = ["NAMES", "forecast", "generate", "method"]

install("pipelines", _moved.MODULES, _moved.NAMES)
