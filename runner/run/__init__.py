"""What ``run`` and ``plan`` do: the pipeline of a release and its stages."""
