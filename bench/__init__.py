"""Speed, measured beside scimconf's peers: `make bench`."""
