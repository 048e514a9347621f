from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from runner.errors import OutputTooLarge, RunEnded
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children, Finished, Run
from testbed.process_table import alive
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = 60
TERMINATED, KILLED = -signal.SIGTERM, -signal.SIGKILL

GRANDPARENT = """
import os, signal, subprocess, sys
{before}
child = subprocess.Popen([sys.executable, "-c", {child!r}], start_new_session={apart})
open("pids", "w").write(f"{{os.getpid()}} {{child.pid}}")
os.rename("pids", "started")
{after}
"""
SLEEP = f"import time; time.sleep({LONG})"
IGNORING = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w'); time.sleep({LONG})"


@pytest.fixture
def lifetime() -> Lifetime:
    return Lifetime()


@pytest.fixture
def children(lifetime: Lifetime) -> Iterator[Children]:
    children = Children(lifetime)
    yield children
    children.end_all(0)


def python(run: Run, code: str, folder: Path, *, log: Path | None = None, stdin: bytes | None = None) -> Finished:
    return run([sys.executable, "-c", code], env={"GIVEN": "x"}, cwd=folder, log=log, stdin=stdin)


def pids(folder: Path) -> list[int]:
    started = folder / "started"
    until(started.exists)
    return [int(pid) for pid in started.read_text().split()]


@contextlib.contextmanager
def in_background(work: Callable[[], Finished]) -> Iterator[Callable[[], Finished]]:
    """Run in a thread; yield what waits for its result."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        yield lambda: future.result(LONG)


def test_a_child_is_returned_with_its_output(children: Children, tmp_path: Path) -> None:
    """Exit code, both outputs, what was called and how long it took are returned."""
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    finished = python(children.run, code, tmp_path)
    assert (finished.returncode, finished.ok, finished.stdout, finished.stderr) == (3, False, "out\n", "err\n")
    assert finished.argv == (sys.executable, "-c", code)
    assert 0 < finished.seconds < LONG
    assert finished.tail() == ("out", "err")


def test_output_that_is_no_text_is_kept(children: Children, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are replaced in the text and unchanged in the output."""
    finished = python(children.run, r"import sys; sys.stdout.buffer.write(b'a\xff\x00b')", tmp_path)
    assert finished.output == b"a\xff\x00b"
    assert finished.stdout == "a\ufffd\x00b"


def test_the_environment_is_exactly_what_is_given(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the runner's own environment reaches a child."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    finished = python(children.run, "import os; print(sorted(os.environ))", tmp_path)
    assert set(eval(finished.stdout)) - {"LC_CTYPE"} == {"GIVEN"}  # noqa: S307 - what the line above printed


def test_a_child_works_in_its_folder(children: Children, tmp_path: Path) -> None:
    """The working folder is the one that is given."""
    assert python(children.run, "import os; print(os.getcwd())", tmp_path).stdout.strip() == str(tmp_path.resolve())


@pytest.mark.parametrize(
    "given", [None, b"", b"line\n", b"\x00\xff" * 500_000], ids=["nothing", "empty", "a line", "more than a pipe holds"]
)
def test_a_child_reads_what_it_is_given(children: Children, tmp_path: Path, given: bytes | None) -> None:
    """Standard input is what is given, and at its end when nothing is."""
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    assert python(children.run, code, tmp_path, stdin=given).output == (given or b"")


def test_a_child_that_takes_too_long(children: Children, tmp_path: Path) -> None:
    """A child that has a time limit is killed at it with all that it started, even if it does not heed SIGTERM."""
    code = GRANDPARENT.format(before="", child=IGNORING, apart=False, after=SLEEP)
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"took longer than 1\.5 s"):
        children.run([sys.executable, "-c", code], env={}, cwd=tmp_path, seconds=1.5)
    assert 1.5 <= time.monotonic() - began < LONG / 2
    until(lambda: not any(map(alive, pids(tmp_path))))


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_child_that_prints_too_much(children: Children, tmp_path: Path, stream: str) -> None:
    """A child that prints more than it may is killed, and no result is made of what it printed."""
    code = f"import sys\nwhile True: sys.{stream}.write('x' * 65536)"
    with pytest.raises(OutputTooLarge, match="printed more than 1000000 bytes"):
        children.run([sys.executable, "-c", code], env={}, cwd=tmp_path, seconds=LONG, limit=1_000_000)


def test_a_child_that_prints_little(children: Children, tmp_path: Path) -> None:
    """A child that stays within what it may print is returned as any other, and ended at its time all the same."""
    finished = children.run([sys.executable, "-c", "print('x' * 10)"], env={}, cwd=tmp_path, seconds=LONG, limit=11)
    assert finished.stdout == "x" * 10 + "\n"
    with pytest.raises(TimeoutError, match=r"took longer than 0\.5 s"):
        children.run([sys.executable, "-c", "import time; time.sleep(60)"], env={}, cwd=tmp_path, seconds=0.5, limit=9)


def test_a_child_within_its_time(children: Children, tmp_path: Path) -> None:
    """A child that ends within its time is returned as any other."""
    assert children.run([sys.executable, "-c", "print(1)"], env={}, cwd=tmp_path, seconds=LONG).stdout == "1\n"


def test_a_run_that_ends_before_a_childs_time(children: Children, lifetime: Lifetime, tmp_path: Path) -> None:
    """A child with a time limit ends with the run, as any other."""
    with in_background(
        lambda: children.run([sys.executable, "-c", f"open('up', 'w'); {SLEEP}"], env={}, cwd=tmp_path, seconds=LONG)
    ) as result:
        until((tmp_path / "up").exists)
        lifetime.end("SIGTERM")
        children.end_all(5)
        with pytest.raises(RunEnded):
            result()


def test_more_output_than_a_pipe_holds_blocks_nobody(children: Children, tmp_path: Path) -> None:
    """A child may write megabytes to both outputs in any order."""
    code = "import sys\nfor _ in range(200): sys.stderr.write('e' * 10000); sys.stdout.write('o' * 10000)"
    finished = python(children.run, code, tmp_path)
    assert (len(finished.stdout), len(finished.stderr)) == (2_000_000, 2_000_000)


@pytest.mark.parametrize("stream", ["", ">&2"])
def test_output_without_end(children: Children, tmp_path: Path, stream: str) -> None:
    """A program that prints on and on is ended soon, and only its beginning is kept."""
    began = time.monotonic()
    with pytest.raises(OutputTooLarge, match="sh printed more than 1048576 bytes"):
        children.run(["sh", "-c", f"yes {stream}"], env={"PATH": os.environ["PATH"]}, cwd=tmp_path, limit=1024 * 1024)
    assert time.monotonic() - began < 5


def test_a_missing_program_is_named(children: Children, tmp_path: Path) -> None:
    """A program that is not there raises FileNotFoundError with its name."""
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        children.run(["no-such-program"], env={"PATH": str(tmp_path)})


def test_programs_are_found_on_the_childs_path(children: Children, tmp_path: Path) -> None:
    """A bare name is looked up on the PATH that the child is given."""
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\nprint('found')\n")
    program.chmod(0o755)
    assert children.run(["program"], env={"PATH": str(tmp_path)}).stdout == "found\n"


def test_the_log_holds_every_run(children: Children, tmp_path: Path) -> None:
    """Each run appends its command, its output and its exit code to the log."""
    log = tmp_path / "tool.txt"
    log.write_text("before\n")
    for code in ("print('one')", "import sys; sys.exit('two')"):
        python(children.run, code, tmp_path, log=log)
    assert log.read_text().splitlines() == [
        "before",
        f"$ {sys.executable} -c print('one')",
        "one",
        "exit 0",
        f"$ {sys.executable} -c import sys; sys.exit('two')",
        "two",
        "exit 1",
    ]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_no_address_says_who_asks(children: Children, tmp_path: Path, stream: str) -> None:
    """What people read of a child's output has no token or password in an address, and is else as it was."""
    log = tmp_path / "tool.txt"
    said = "http://s3cr3t@proxy.example/a https://user:s3cr3t@h:8/?b=c@d me@example.com https://h.example/@v/list"
    finished = python(children.run, f"import sys; print({said!r}, file=sys.{stream})", tmp_path, log=log)
    shown = said.replace("user:s3cr3t", "xxxxx").replace("s3cr3t", "xxxxx")
    assert finished.tail() == (shown,)
    assert log.read_text().splitlines()[1:] == [shown, "exit 0"]


def test_runs_side_by_side_do_not_mix(children: Children, tmp_path: Path) -> None:
    """Children of several threads run at once, each gets its own output, and the shared log keeps them apart."""
    log = tmp_path / "tool.txt"

    def work(number: int) -> Finished:
        others = "sum(os.path.exists(str(n)) for n in range(4)) < 4"
        code = f"import os, time\nopen('{number}', 'w')\nwhile {others}: time.sleep(0.005)\nprint('{number}' * 20000)"
        return python(children.run, code, tmp_path, log=log)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(4)))
    assert [finished.stdout for finished in results] == [f"{number}" * 20000 + "\n" for number in range(4)]
    lines = [line for line in log.read_text().splitlines() if len(line) > 10_000]
    assert sorted(lines) == [f"{number}" * 20000 for number in range(4)]


def test_what_a_child_leaves_behind_ends_with_it(children: Children, tmp_path: Path) -> None:
    """A grandchild that keeps the outputs open neither holds the run up nor outlives it."""
    code = GRANDPARENT.format(before="", child=SLEEP, apart=False, after="print('done')")
    finished = python(children.run, code, tmp_path)
    assert (finished.stdout, finished.returncode) == ("done\n", 0)
    assert finished.seconds < LONG / 2
    grandchild = pids(tmp_path)[1]
    until(lambda: not alive(grandchild))


def test_a_grandchild_of_another_session_holds_nothing_up(children: Children, tmp_path: Path) -> None:
    """A grandchild that left the group is out of reach, but the run does not wait for it."""
    code = GRANDPARENT.format(before="", child=SLEEP, apart=True, after="print('done')")
    finished = python(children.run, code, tmp_path)
    grandchild = pids(tmp_path)[1]
    try:
        assert finished.stdout == "done\n"
        assert finished.seconds < LONG / 2
    finally:
        os.kill(grandchild, signal.SIGKILL)


def test_ending_terminates_the_whole_group(lifetime: Lifetime, children: Children, tmp_path: Path) -> None:
    """At the end a child and its children are terminated, and the run that waits raises RunEnded."""
    code = GRANDPARENT.format(before="", child=SLEEP, apart=False, after="child.wait()")
    with in_background(lambda: python(children.run, code, tmp_path)) as result:
        group = pids(tmp_path)
        lifetime.end("SIGTERM")
        began = time.monotonic()
        children.end_all(LONG / 2)
        assert time.monotonic() - began < LONG / 4
        with pytest.raises(RunEnded, match="SIGTERM"):
            result()
    assert not any(alive(pid) for pid in group)


def test_a_child_may_clean_up_within_the_grace(lifetime: Lifetime, children: Children, tmp_path: Path) -> None:
    """SIGTERM comes first, and what a child still writes then is in its log."""
    log = tmp_path / "tool.txt"
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit('cleaned up'))\n"
        "open('started', 'w')\n"
        f"time.sleep({LONG})"
    )
    with in_background(lambda: python(children.run, code, tmp_path, log=log)) as result:
        until((tmp_path / "started").exists)
        lifetime.end("the deadline")
        children.end_all(LONG / 2)
        with pytest.raises(RunEnded):
            result()
    assert log.read_text().splitlines()[-2:] == ["cleaned up", "exit 1"]


def test_who_ignores_the_first_signal_is_killed(lifetime: Lifetime, children: Children, tmp_path: Path) -> None:
    """A group that ignores SIGTERM is killed after the grace, and not before it."""
    log = tmp_path / "tool.txt"
    before = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    code = GRANDPARENT.format(before=before, child=IGNORING, apart=False, after="child.wait()")
    with in_background(lambda: python(children.run, code, tmp_path, log=log)) as result:
        group = pids(tmp_path)
        until((tmp_path / "deaf").exists)
        lifetime.end("SIGINT")
        began = time.monotonic()
        children.end_all(0.3)
        assert 0.3 <= time.monotonic() - began < LONG / 4
        with pytest.raises(RunEnded):
            result()
    until(lambda: not any(alive(pid) for pid in group))
    assert log.read_text().splitlines()[-1] == f"exit {KILLED}"


def test_a_signal_to_the_runners_group_does_not_reach_children(children: Children, tmp_path: Path) -> None:
    """A child is in a group and a session of its own."""
    finished = python(children.run, "import os; print(os.getpgrp() == os.getsid(0) == os.getpid())", tmp_path)
    assert finished.stdout == "True\n"


def test_signals_have_their_usual_meaning_in_children(children: Children, tmp_path: Path) -> None:
    """A child that is terminated by somebody else is returned with the signal as a negative code."""
    finished = python(children.run, "import os, signal; os.kill(os.getpid(), signal.SIGTERM)", tmp_path)
    assert finished.returncode == TERMINATED


@pytest.mark.parametrize("how", ["lifetime", "children"])
def test_nothing_is_started_after_the_end(lifetime: Lifetime, children: Children, tmp_path: Path, how: str) -> None:
    """Once the lifetime has ended, or the children were ended, no program is started any more."""
    if how == "lifetime":
        lifetime.end("SIGINT")
    else:
        children.end_all(0)
    with pytest.raises(RunEnded):
        python(children.run, "open('started', 'w')", tmp_path)
    assert not (tmp_path / "started").exists()


def test_ending_among_many_starts_leaves_nobody(lifetime: Lifetime, children: Children, tmp_path: Path) -> None:
    """Threads that start children while the run is ended leave none alive, whatever the moment."""
    started = threading.Semaphore(0)

    def work(number: int) -> None:
        with contextlib.suppress(RunEnded):
            while True:
                code = f"import os, time; open(f'pid-{{os.getpid()}}', 'w'); time.sleep({0.01 if number % 2 else LONG})"
                started.release()
                python(children.run, code, tmp_path)

    with ThreadPoolExecutor(4) as pool:
        for number in range(4):
            pool.submit(work, number)
        for _ in range(8):
            started.acquire(timeout=LONG)
        lifetime.end("SIGTERM")
        children.end_all(LONG / 2)
    assert not [path for path in tmp_path.glob("pid-*") if alive(int(path.name.removeprefix("pid-")))]


def test_the_tail_leaves_out_empty_lines() -> None:
    """The tail is the last printed lines, stderr after stdout, without empty lines and spaces at their ends."""
    finished = Finished(("x",), 1, "one\n\ntwo  \n", "\nthree\n", 0.1)
    assert finished.tail(2) == ("two", "three")
    assert finished.tail() == ("one", "two", "three")
