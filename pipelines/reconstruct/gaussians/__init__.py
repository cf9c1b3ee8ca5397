"""Gaussian splats fitted to posed frames; what they are, their files and how they are drawn lies in `pipelines.splats`."""
