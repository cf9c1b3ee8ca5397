"""GenXD: twelve views of 256 x 256 pixels at a time, in space, in time or in both (arXiv 2411.02319)."""
