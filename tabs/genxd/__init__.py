"""The GenXD tab."""
