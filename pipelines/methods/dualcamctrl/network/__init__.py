"""Networks of DualCamCtrl, their loading and conversion."""
