"""OCI: names, manifests, artifacts and layout folders, and the registry client with its authorisation."""
