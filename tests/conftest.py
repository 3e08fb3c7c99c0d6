"""What the tests of several rooms share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("beholder", deadline=None)  # a busy machine is no failure
settings.load_profile("beholder")


@pytest.fixture(scope="session")
def test_images() -> Path:
    """A folder of real images: hostile_files/, exif_photos/, videos/ and others, each a data set of its own."""
    folder = os.environ.get("BEHOLDER_TEST_IMAGES")
    if not folder:
        pytest.skip("set BEHOLDER_TEST_IMAGES to a folder of real images to run this")
    if not Path(folder).is_dir():
        pytest.fail(f"BEHOLDER_TEST_IMAGES must name a folder, found {folder}")
    return Path(folder)
