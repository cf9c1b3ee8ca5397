"""Camera files of video models and their data sets, each with its source in its docstring."""
