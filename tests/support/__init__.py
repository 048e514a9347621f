"""What tests share: real programs, repositories, registries."""
