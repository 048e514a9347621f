"""The annotations of artifacts that are this program's own, beside those that the OCI image-spec names.

Builders and the chart packager write them; what is published is read by them. So they lie below both.
"""

RELEASE_VERSION = "dev.ack.release.version"
RELEASE_IMAGE = "dev.ack.release.image"
RELEASE_INPUTS = "dev.ack.release.inputs"
RELEASE_PLATFORMS = "dev.ack.release.platforms"
RELEASE_RESOLVED_VERSION = "dev.ack.release.resolved-version"
