"""Digests of images, by which equal ones are found."""

import hashlib

import numpy as np


def digest(image: np.ndarray) -> bytes:
    """Hash the pixels of an image: 16 bytes of BLAKE2b."""
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def first_seen(images: np.ndarray, known: set[bytes]) -> np.ndarray:
    """Find the images that are not known and equal no earlier one; all become known.

    Args:
        images: `uint8 (N, ...)`.
        known: digests, to which those of the images are added.

    Returns:
        Their positions, in order, `int`.
    """
    found = []
    for index, image in enumerate(images):
        if (hashed := digest(image)) not in known:
            known.add(hashed)
            found.append(index)
    return np.array(found, int)
