"""How the page and its sessions are served: small on the wire, rendered once, light in memory."""
