"""What AWS is asked for so that a release can be published: a role, a registry's token, repositories, a catalogue."""
