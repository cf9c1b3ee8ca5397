"""Serves the page and its sessions: small on the wire, rendered once, light in memory."""
