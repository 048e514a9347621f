"""The ACK release runner: from a Prow push event to a published controller image and Helm chart."""

__version__ = "0.1.0"
