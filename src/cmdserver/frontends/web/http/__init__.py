"""HTTP: connections, requests, headers and negotiation. Nothing here knows what is served."""
