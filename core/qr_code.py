"""QR codes (ISO/IEC 18004) of short texts: byte mode, level M, versions 1 to 10, as rows of dark and light modules."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, groupby, product, zip_longest

# By version, from 1: error-correction codewords a block, and blocks, of level M (table 9 of the standard).
_ECC = (10, 16, 26, 18, 24, 16, 18, 22, 22, 26)
_BLOCKS = (1, 1, 1, 2, 2, 4, 4, 4, 5, 5)
_RAW = (26, 44, 70, 100, 134, 172, 196, 242, 292, 346)  # codewords in all
_ALIGN = ((), (6, 18), (6, 22), (6, 26), (6, 30), (6, 34), (6, 22, 38), (6, 24, 42), (6, 26, 46), (6, 28, 50))
_LEVEL_M = 0
_MASKS = range(8)
_FINDER = (True, False, True, True, True, False, True, False, False, False, False)

Grid = list[list[bool]]


class TooLong(ValueError):
    """The text does not fit into version 10: more than 213 bytes."""


def qr_code(text: str) -> Grid:
    """Return the code as rows of modules, true where it is dark, without the quiet zone of four around it.

    Raises:
        TooLong: if there are more than 213 bytes of UTF-8.
    """
    content = text.encode()
    version = next((n for n in range(1, 11) if len(content) <= _room(n)), None)
    if version is None:
        raise TooLong(len(content))
    words = _interleaved(_data(content, version), version)
    drawn = [_masked(words, version, mask) for mask in _MASKS]
    return min(drawn, key=_penalty)


def svg(text: str, *, quiet: int = 4) -> str:
    """Return the code as an SVG picture; raises TooLong."""
    grid = qr_code(text)
    size = len(grid) + 2 * quiet
    runs = "".join(
        f"M{x + quiet} {y + quiet}h{width}v1h-{width}z" for y, row in enumerate(grid) for x, width in _dark_runs(row)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{size}v{size}h-{size}z"/><path d="{runs}"/></svg>'
    )


def _dark_runs(row: list[bool]) -> Iterator[tuple[int, int]]:
    x = 0
    for dark, run in groupby(row):
        width = len(list(run))
        if dark:
            yield x, width
        x += width


def _room(version: int) -> int:
    """Return how many bytes a version holds, without mode, length and terminator."""
    bits = 8 * (_RAW[version - 1] - _ECC[version - 1] * _BLOCKS[version - 1]) - 4 - _length_bits(version)
    return bits // 8


def _length_bits(version: int) -> int:
    return 8 if version < 10 else 16


def _data(content: bytes, version: int) -> bytes:
    room = 8 * (_RAW[version - 1] - _ECC[version - 1] * _BLOCKS[version - 1])
    bits = f"0100{len(content):0{_length_bits(version)}b}" + "".join(f"{byte:08b}" for byte in content)
    bits += "0" * min(4, room - len(bits))
    bits += "0" * (-len(bits) % 8)
    words = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    filling = (0xEC, 0x11)
    return bytes(words + [filling[n % 2] for n in range(room // 8 - len(words))])


def _interleaved(data: bytes, version: int) -> bytes:
    count, ecc = _BLOCKS[version - 1], _ECC[version - 1]
    short, more = divmod(len(data), count)
    blocks, at = [], 0
    for number in range(count):
        length = short + (number >= count - more)
        blocks.append(data[at : at + length])
        at += length
    checks = [_remainder(block, _generator(ecc)) for block in blocks]
    mixed = chain(chain.from_iterable(zip_longest(*blocks)), chain.from_iterable(zip(*checks, strict=True)))
    return bytes(word for word in mixed if word is not None)


def _times(a: int, b: int) -> int:
    """Multiply in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1."""
    found = 0
    for bit in range(7, -1, -1):
        found = (found << 1) ^ (0x11D if found >> 7 else 0) ^ (a if b >> bit & 1 else 0)
    return found


def _generator(degree: int) -> list[int]:
    factors, root = [0] * (degree - 1) + [1], 1
    for _ in range(degree):
        factors = [_times(one, root) ^ after for one, after in zip(factors, [*factors[1:], 0], strict=True)]
        root = _times(root, 2)
    return factors


def _remainder(block: bytes, generator: list[int]) -> list[int]:
    rest = [0] * len(generator)
    for byte in block:
        factor = byte ^ rest[0]
        rest = [one ^ _times(given, factor) for one, given in zip([*rest[1:], 0], generator, strict=True)]
    return rest


def _masked(words: bytes, version: int, mask: int) -> Grid:
    size = 17 + 4 * version
    fixed: dict[tuple[int, int], bool] = {}  # (x, y) of what is no data
    _draw_patterns(fixed, version, size)
    _draw_format(fixed, mask, size)
    grid = [[fixed.get((x, y), False) for x in range(size)] for y in range(size)]
    bits = (byte >> bit & 1 for byte in words for bit in range(7, -1, -1))
    for x, y in _data_places(size):
        if (x, y) not in fixed:
            grid[y][x] = bool(next(bits, 0)) ^ _flips(mask, x, y)
    return grid


def _flips(mask: int, x: int, y: int) -> bool:
    """Tell whether a mask turns a module of the data over (table 10 of the standard)."""
    both = x * y % 2 + x * y % 3
    sums = (
        x + y, y, x % 3, (x + y) % 3, x // 3 + y // 2, both, both, (x + y) % 2 + x * y % 3,
    )  # fmt: skip
    return sums[mask] == 0 if mask in (2, 3, 5) else sums[mask] % 2 == 0


def _data_places(size: int) -> Iterator[tuple[int, int]]:
    upwards, right = True, size - 1
    while right > 0:
        if right == 6:  # the column of the timing pattern holds no data
            right = 5
        for step in range(size):
            y = size - 1 - step if upwards else step
            yield from ((right, y), (right - 1, y))
        upwards, right = not upwards, right - 2


def _draw_patterns(fixed: dict[tuple[int, int], bool], version: int, size: int) -> None:
    for n in range(size):
        fixed[6, n] = fixed[n, 6] = n % 2 == 0
    for place in ((3, 3), (size - 4, 3), (3, size - 4)):
        _draw_rings(fixed, place, reach=4, light=(2, 4), size=size)
    corners = {(6, 6), (6, size - 7), (size - 7, 6)}
    for x, y in product(_ALIGN[version - 1], repeat=2):
        if (x, y) not in corners:
            _draw_rings(fixed, (x, y), reach=2, light=(1,), size=size)
    if version >= 7:
        _draw_version(fixed, version, size)


def _draw_rings(
    fixed: dict[tuple[int, int], bool], middle: tuple[int, int], *, reach: int, light: tuple[int, ...], size: int
) -> None:
    """Draw squares around a module, those at the distances `light` light; what lies outside is left out."""
    for dx, dy in product(range(-reach, reach + 1), repeat=2):
        x, y = middle[0] + dx, middle[1] + dy
        if 0 <= x < size and 0 <= y < size:
            fixed[x, y] = max(abs(dx), abs(dy)) not in light


def _draw_version(fixed: dict[tuple[int, int], bool], version: int, size: int) -> None:
    rest = version
    for _ in range(12):
        rest = (rest << 1) ^ (rest >> 11) * 0x1F25
    bits = version << 12 | rest
    for n in range(18):
        a, b = size - 11 + n % 3, n // 3
        fixed[a, b] = fixed[b, a] = bool(bits >> n & 1)


def _draw_format(fixed: dict[tuple[int, int], bool], mask: int, size: int) -> None:
    data = rest = _LEVEL_M << 3 | mask
    for _ in range(10):
        rest = (rest << 1) ^ (rest >> 9) * 0x537
    bits = (data << 10 | rest) ^ 0x5412
    beside = [(8, n) for n in range(6)] + [(8, 7), (8, 8), (7, 8)] + [(14 - n, 8) for n in range(9, 15)]
    apart = [(size - 1 - n, 8) for n in range(8)] + [(8, size - 15 + n) for n in range(8, 15)]
    for place in (beside, apart):
        for n, (x, y) in enumerate(place):
            fixed[x, y] = bool(bits >> n & 1)
    fixed[8, size - 8] = True


def _penalty(grid: Grid) -> int:
    """Return how hard a code is to read (section 7.8.3 of the standard)."""
    size, columns = len(grid), [list(column) for column in zip(*grid, strict=True)]
    found = sum(map(_line_penalty, (*grid, *columns)))
    for above, below in zip(grid, grid[1:], strict=False):
        found += 3 * sum(above[x] == above[x + 1] == below[x] == below[x + 1] for x in range(size - 1))
    dark = sum(map(sum, grid))
    return found + 10 * (abs(20 * dark - 10 * size * size) // (size * size))


def _line_penalty(line: list[bool]) -> int:
    runs = [len(list(run)) for _, run in groupby(line)]
    found = sum(run - 2 for run in runs if run >= 5)
    for at in range(len(line) - len(_FINDER) + 1):
        part = tuple(line[at : at + len(_FINDER)])
        found += 40 * (part in (_FINDER, _FINDER[::-1]))
    return found
