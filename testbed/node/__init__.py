"""A small kubelet for tests and the demo: it runs a Prow job's pods through dockerd on this machine.

It knows what Prow's pods use, and refuses a pod that asks for anything else. It runs containers on the host's network.
"""
