"""``testbed.node`` with a real apiserver, a real Docker daemon and Prow's own plank."""
