"""Files instead of a server: read, classify and derive what a file or a stream holds, without any network."""
