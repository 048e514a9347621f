from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.builders.elf import MACHINES, STRING_LIMIT, Elf, Machine
from testbed.executables import program

NAME = "example.com/controller/pkg/version.GitCommit"
OTHER = "example.com/controller/pkg/version.GitVersion"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

texts = st.text(min_size=1, max_size=40)
machines = st.sampled_from(sorted(MACHINES.values()))


@pytest.mark.parametrize("architecture", MACHINES)
def test_each_architecture_is_recognised(architecture: str) -> None:
    """The header of a program for one of Go's architectures names exactly that one."""
    elf = Elf(program(MACHINES[architecture]))
    assert elf.architecture == architecture
    assert elf.machine == MACHINES[architecture]


def test_architectures_differ() -> None:
    """No two of Go's architectures look alike."""
    assert len(set(MACHINES.values())) == len(MACHINES)


def test_an_architecture_without_a_word_in_go_is_described_in_numbers() -> None:
    """A program for a machine that Go does not know says which number that has."""
    assert Elf(program(Machine(64, "<", 4242))).architecture == "machine 4242 (64 bits, <)"


@given(machines, st.dictionaries(st.sampled_from([NAME, OTHER, "main.BuildDate"]), texts, min_size=1))
def test_string_variables_are_read_back(machine: Machine, variables: dict[str, str]) -> None:
    """Whatever text a program's variables hold is found under their symbols, for any word size and byte order."""
    assert Elf(program(machine, variables)).string_variables(variables) == variables


@given(machines)
def test_a_variable_that_the_linker_dropped_is_not_found(machine: Machine) -> None:
    """A text that stands in the program without its variable does not count."""
    content = program(machine, {OTHER: COMMIT})
    assert COMMIT.encode() in content
    assert Elf(content).string_variables([NAME]) == {}


@pytest.mark.parametrize("name", ["pkg/version.GitCommit", f"x{NAME}", f"{NAME}s", NAME[:-1]])
def test_only_the_whole_symbol_counts(name: str) -> None:
    """A symbol that begins or ends with the one looked for is another one."""
    assert Elf(program(variables={NAME: COMMIT})).string_variables([name]) == {}


@given(machines)
def test_a_variable_that_nothing_was_written_to_is_empty(machine: Machine) -> None:
    """A variable in memory that starts as zeros holds the empty text."""
    assert Elf(program(machine, {NAME: "", OTHER: "1.2.3"})).string_variables([NAME]) == {NAME: ""}


def test_a_stripped_program_has_no_variables() -> None:
    """Without a symbol table nothing is found."""
    assert Elf(program(variables={NAME: COMMIT}, symbols=False)).string_variables([NAME]) == {}


@given(machines)
def test_a_program_that_names_a_loader_is_not_static(machine: Machine) -> None:
    """A program that is loaded by another one says so; what is cut short before that is not judged."""
    assert Elf(program(machine)).is_static
    assert not Elf(program(machine, segment_type=3)).is_static
    with pytest.raises(ValueError, match="cut short"):
        _ = Elf(program(machine)[:64]).is_static


def test_a_shared_object_is_a_program() -> None:
    """A position-independent executable is of ELF's type for shared objects."""
    assert Elf(program(kind=3)).architecture == "amd64"


WHOLE = program()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not an ELF file"),
        (b"\x7fELF", "not an ELF file"),
        (b"#!/bin/sh\nexec controller\n", "not an ELF file"),
        (b"MZ" + WHOLE[2:], "not an ELF file"),
        (WHOLE[:4] + b"\x03" + WHOLE[5:], "class 3"),
        (WHOLE[:5] + b"\x00" + WHOLE[6:], "byte order 0"),
        (WHOLE[:40], "cut short"),
        (program(kind=1), "type is 1"),
    ],
    ids=["empty", "magic-only", "script", "other-magic", "class", "order", "cut", "object-file"],
)
def test_what_is_no_program_is_refused(content: bytes, problem: str) -> None:
    """What is not an ELF executable is refused with the reason."""
    with pytest.raises(ValueError, match=problem):
        Elf(content)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (program(variables={NAME: COMMIT}, length=STRING_LIMIT + 1), "bytes"),
        (program(variables={NAME: COMMIT}, length=4096), "nothing is loaded"),
        (program(variables={NAME: COMMIT}, start=8), "nothing is loaded"),
    ],
    ids=["too-long", "past-the-end", "nowhere"],
)
def test_a_variable_that_points_nowhere_is_refused(content: bytes, problem: str) -> None:
    """A string whose text is not in the program is an error, not a text."""
    with pytest.raises(ValueError, match=problem):
        Elf(content).string_variables([NAME])


@given(machines, st.data())
def test_damage_is_a_value_error(machine: Machine, data: st.DataObject) -> None:
    """However a program is cut or changed, reading it gives texts or a ValueError, nothing else."""
    content = bytearray(program(machine, {NAME: COMMIT, OTHER: ""}))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    try:
        found = Elf(bytes(content)).string_variables([NAME, OTHER])
    except ValueError:
        return
    assert found.keys() <= {NAME, OTHER}
