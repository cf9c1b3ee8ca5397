"""Training of DualCamCtrl: data, loss, loop."""
