"""What a maintainer runs: set-up, pinned tools, generated files, the image, the demo, benchmarks and pictures."""
