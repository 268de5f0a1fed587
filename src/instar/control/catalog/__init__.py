"""Datastores, their versions and images, and which version can be reached from which."""
