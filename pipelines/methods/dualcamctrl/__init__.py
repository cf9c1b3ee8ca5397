"""DualCamCtrl: one picture with depth and one camera path become an RGB and a depth video, denoised together."""
