"""Products of matrices in torch, with which kernels are compared, are rounded alike on every processor.

Where it can, MKL multiplies and adds in one rounding, and how depends on the CPU; the readable warp then differs from
itself by more than the kernels may differ from it.
"""

import os

os.environ.setdefault("MKL_CBWR", "COMPATIBLE")
