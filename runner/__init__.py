"""The ACK release runner: from a Prow push event to a published controller image and Helm chart."""
