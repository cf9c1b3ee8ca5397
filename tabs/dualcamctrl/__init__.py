"""The DualCamCtrl tab."""
