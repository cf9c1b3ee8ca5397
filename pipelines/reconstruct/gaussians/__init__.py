"""Fits Gaussian splats to posed frames. Their definition, files and renderers are in `pipelines.splats`."""
