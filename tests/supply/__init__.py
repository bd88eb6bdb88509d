"""What the product is made of: advisories, the list of its parts, hashes, and the same wheel twice."""
