"""Damaged model files: whatever is wrong, the answer is an `InvalidModel` or a model that runs, and never a crash."""

import random
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import graphs
from beholder.errors import InvalidModel
from beholder.model import wire
from beholder.model.file import card_of, graph_digest_of, with_card
from beholder.model.inspection import inspect

FILES = [graphs.model_bytes(task) for task in graphs.TASKS]
INSPECTED, LOADED = 400, 150
"""Mutations of each of the five files that are looked at, and those that are run too."""


def mutated(data, seed, in_place=False):
    """A file with a few bytes changed, taken out, doubled, put in or cut off; `in_place`: changed, in one place."""
    chance = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(1 if in_place else chance.choice((1, 1, 1, 2, 5, 20))):
        place = chance.randrange(len(damaged) + 1)
        end = min(len(damaged), place + chance.choice((1, 1, 2, 8, 100)))
        piece = damaged[place:end]
        match chance.randrange(2 if in_place else 6):
            case 0:
                damaged[place:end] = chance.randbytes(len(piece))
            case 1:
                damaged[place:end] = bytes(byte ^ 1 << chance.randrange(8) for byte in piece)
            case 2:
                del damaged[place:end]
            case 3:
                damaged[place:place] = piece * chance.choice((1, 2, 50))
            case 4:
                damaged[place:place] = chance.randbytes(len(piece))
            case 5:
                del damaged[max(place, 1) :]
    return bytes(damaged)


def look(data):
    """Everything that is done with a file before it is run; whether it may be."""
    allowed = 0
    for act in (card_of, inspect, graph_digest_of, lambda data: with_card(data, graphs.make_card("embed"))):
        try:
            act(data)
            allowed += 1
        except InvalidModel as error:
            assert "\n" not in str(error) and str(error)
    return allowed == 4


@pytest.mark.parametrize("index", range(len(FILES)))
def test_damaged_files_are_refused_or_fine(index):
    verdicts = [look(mutated(FILES[index], seed)) for seed in range(INSPECTED)]
    assert 0 < sum(verdicts) < INSPECTED  # both kinds are among them


@pytest.mark.parametrize("index", range(len(FILES)))
def test_files_that_end_too_early(index):
    for length in {*range(0, len(FILES[index]), 7), len(FILES[index]) - 1}:
        with pytest.raises(InvalidModel):
            inspect(FILES[index][:length])
            card_of(FILES[index][:length])


@given(st.binary(max_size=200))
@example(b"\x08")
@example(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\x3a\x00")
@example(b"\x72\x00")
@example(b"\x13" * 50)
def test_bytes_of_any_kind(data):
    look(data)


@given(st.lists(st.tuples(st.integers(1, 2**29 - 1), st.binary(max_size=30)), max_size=5))
def test_what_is_encoded_is_found(parts):
    data = b"".join(wire.encode_bytes(number, payload) for number, payload in parts)
    found = [(field.number, data[field.start : field.end]) for field in wire.fields(data, 0, len(data))]
    assert found == parts
    assert all(field.wire_type == wire.BYTES for field in wire.fields(data, 0, len(data)))


@given(st.integers(0, 2**64 - 1))
def test_numbers_are_read_as_they_were_written(number):
    encoded = wire.encode_varint(number)
    assert wire.varint(encoded + b"\x01", 0, len(encoded) + 1) == (number, len(encoded))
    with pytest.raises(InvalidModel):
        wire.varint(encoded, 0, len(encoded) - 1)


RUN = """
import sys
sys.path[:0] = sys.argv[1:3]
import numpy as np
from test_model_fuzz import FILES, LOADED, mutated
from beholder.errors import InvalidModel
from beholder.model.loading import load_bytes

pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
answers = 0
for data in FILES:
    for seed in range(LOADED):
        try:
            load_bytes(mutated(data, seed, in_place=True)).predict(pixels)
            answers += 1
        except InvalidModel:
            pass
print(answers)
"""


def test_damaged_files_do_not_bring_the_process_down(request):
    folders = [str(request.path.parent), str(request.path.parents[1])]
    done = subprocess.run([sys.executable, "-W", "error", "-c", RUN, *folders], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert 0 < int(done.stdout) < len(FILES) * LOADED
