"""All services at once: what git says was released, against what the registry has."""
