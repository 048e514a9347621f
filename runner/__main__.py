"""``ack-release``: holds signals back until someone is there to answer them, then parses the command line."""

import signal


def main() -> None:
    """Run the command line.

    A signal that comes while modules are still being imported is kept pending until ``runner.supervisor`` takes it;
    without this, Python would end with 130, which Prow reads as an abort.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    from runner.cli import start  # noqa: PLC0415 - after the signals are held back

    start()


if __name__ == "__main__":
    main()
