"""The classical way: white candidates, descriptors of each, and a classifier. No network."""
