"""Containers without an engine: images, bundles and crun (OCI image and runtime specifications)."""
