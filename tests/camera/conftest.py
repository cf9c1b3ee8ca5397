"""Make torch matrix products, which kernels are compared with, round equally on every processor.

MKL uses fused multiply-add where it can, and how depends on the CPU. The readable warp then differs from itself by more
than the kernels may differ from it.
"""

import os

os.environ.setdefault("MKL_CBWR", "COMPATIBLE")
