"""Networks of GenXD: UNet and autoencoder."""
