from __future__ import annotations

from pathlib import Path

from testbed.prow.components import Ports, Shared, crier, hook, plank

FOLDER = Path("/somewhere")


def test_programs_are_told_every_port_that_they_can_be_told() -> None:
    """Each program has its own ports for health, metrics and profiles, and reads the same configuration."""
    shared = Shared(FOLDER / "kubeconfig", FOLDER / "config.yaml", FOLDER / "jobs")
    ports = Ports(1, 2, 3)
    program = FOLDER / "program"
    for argv in (
        hook(program, shared, ports, port=4, secret=FOLDER / "secret", plugins=FOLDER / "plugins.yaml"),
        plank(program, shared, ports),
        crier(program, shared, ports, storage=FOLDER / "credentials.json"),
    ):
        assert argv[0] == program
        assert {"--health-port=1", "--metrics-port=2", "--pprof-port=3", *shared.flags} < set(argv)
