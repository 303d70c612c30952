"""Two pictures beside each other: how much of them differs."""

import io

import numpy
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
# A channel may differ by so much of 255: what the rounding of a rasterizer makes.
TOLERANCE = 8


def pixels(png):
    return numpy.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def different(ours, theirs):
    """Which pixels of the common box differ."""
    height, width = min(ours.shape[0], theirs.shape[0]), min(ours.shape[1], theirs.shape[1])
    mask = numpy.zeros((height, width), bool)
    # In bands: a difference of whole full pages would need gigabytes.
    for top in range(0, height, 2048):
        one, other = ours[top:top + 2048][:height - top, :width], theirs[top:top + 2048][:height - top, :width]
        mask[top:top + 2048] = (numpy.abs(one.astype(numpy.int16) - other) > TOLERANCE).any(axis=2)
    return mask


def share(ours, theirs, cut=False):
    """The share of pixels that differ, what only one of the two has included. `cut`: ours ends early, by a bound, and that is known."""
    mask = different(ours, theirs)
    common = mask.size
    whole = common if cut else max(ours.shape[0], theirs.shape[0]) * max(ours.shape[1], theirs.shape[1])
    return (int(mask.sum()) + whole - common) / whole


def one_colour(picture):
    return bool((picture == picture[0, 0]).all())


def fingerprint(picture):
    """A coarse trace of a picture, 16 by 16 grey levels of 16, to see whether it is still the one that was looked at."""
    grey = Image.fromarray(picture).convert("L").resize((16, 16), Image.Resampling.BOX)
    return "".join(f"{value >> 4:x}" for value in grey.tobytes())


def alike(one, other):
    """Whether two fingerprints are of pictures that a person would call the same."""
    if len(one) != len(other):
        return False
    steps = [abs(int(a, 16) - int(b, 16)) for a, b in zip(one, other)]
    return sum(step > 1 for step in steps) <= 10


def side_by_side(ours, theirs, width=360, most=900):
    """Small pictures of the two and of their difference, for the report."""

    def small(picture):
        image = Image.fromarray(picture)
        height = max(1, round(image.height * width / image.width))
        return image.resize((width, height), Image.Resampling.BOX).crop((0, 0, width, min(height, most)))

    if ours is None or theirs is None:
        return [picture if picture is None else small(picture) for picture in (ours, theirs)] + [None]
    mask = different(ours, theirs)
    faint = (theirs[:mask.shape[0], :mask.shape[1]] // 4 + 190).astype(numpy.uint8)
    # Thick enough to be seen when the picture is scaled down.
    thick = mask.copy()
    for shift in (1, 2, 3):
        thick[shift:] |= mask[:-shift]
        thick[:, shift:] |= mask[:, :-shift]
    faint[thick] = (220, 20, 60)
    return [small(ours), small(theirs), small(faint)]
