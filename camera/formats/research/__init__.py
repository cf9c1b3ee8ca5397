"""Camera files of research code, video models and data sets, each with its source in its docstring."""
