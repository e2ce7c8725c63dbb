"""Templates that come with the server."""
