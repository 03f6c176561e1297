# cython: language_level=3
# cython: boundscheck=False
# cython: wraparound=False
"""Remembers what originals have become, each by a keyed fingerprint of eight bytes and a checksum: for validators.

Source: BLAKE2b, RFC 7693, keyed; CRC-32 as zlib's (RFC 1952).
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    BLOCK = 128
    KEPT = 8
    OBJECT = 0x03
    ARRAY = 0x04
    BINARY = 0x05

cdef uint64_t[8] START = [
    0x6A09E667F3BCC908U, 0xBB67AE8584CAA73BU, 0x3C6EF372FE94F82BU, 0xA54FF53A5F1D36F1U,
    0x510E527FADE682D1U, 0x9B05688C2B3E6C1FU, 0x1F83D9ABFB41BD6BU, 0x5BE0CD19137E2179U,
]
cdef uint8_t[12][16] ORDER = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
]
cdef uint32_t[256] CHECKSUMS


cdef int prepare() except -1:
    cdef uint32_t one
    cdef int number, bit
    for number in range(256):
        one = number
        for bit in range(8):
            one = (one >> 1) ^ 0xEDB88320U if one & 1 else one >> 1
        CHECKSUMS[number] = one
    return 0


prepare()


cdef struct Hash:
    uint64_t[8] state
    uint8_t[128] block
    uint64_t before  # bytes of the blocks that are done with
    int filled


cdef inline uint64_t turned(uint64_t word, int bits) noexcept nogil:
    return word >> bits | word << (64 - bits)


cdef inline void mix(uint64_t* v, int a, int b, int c, int d, uint64_t x, uint64_t y) noexcept nogil:
    v[a] = v[a] + v[b] + x
    v[d] = turned(v[d] ^ v[a], 32)
    v[c] = v[c] + v[d]
    v[b] = turned(v[b] ^ v[c], 24)
    v[a] = v[a] + v[b] + y
    v[d] = turned(v[d] ^ v[a], 16)
    v[c] = v[c] + v[d]
    v[b] = turned(v[b] ^ v[c], 63)


cdef void compress(Hash* hash, bint last) noexcept nogil:
    cdef uint64_t[16] v
    cdef uint64_t[16] m
    cdef const uint8_t* s
    cdef int turn, word
    memcpy(m, hash.block, BLOCK)
    for word in range(8):
        v[word] = hash.state[word]
        v[word + 8] = START[word]
    v[12] ^= hash.before
    if last:
        v[14] = ~v[14]
    for turn in range(12):
        s = ORDER[turn]
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]])
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]])
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]])
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]])
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]])
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]])
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]])
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]])
    for word in range(8):
        hash.state[word] ^= v[word] ^ v[word + 8]


cdef void take(Hash* hash, const uint8_t* data, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t some
    while size > 0:
        if hash.filled == BLOCK:
            hash.before += BLOCK
            compress(hash, False)
            hash.filled = 0
        some = BLOCK - hash.filled
        if size < some:
            some = size
        memcpy(hash.block + hash.filled, data, some)
        hash.filled += <int> some
        data += some
        size -= some


cdef void finish(Hash* hash) noexcept nogil:
    hash.before += hash.filled
    memset(hash.block + hash.filled, 0, BLOCK - hash.filled)
    compress(hash, True)


cdef uint32_t checksum(uint32_t before, const uint8_t* data, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t at
    before = ~before
    for at in range(size):
        before = CHECKSUMS[(before ^ data[at]) & 0xFF] ^ (before >> 8)
    return ~before


cdef class Begun:
    """Fingerprints of what begins with some bytes, and the lots that are drawn for it."""

    cdef Hash hash
    cdef uint32_t seed

    def __init__(self, bytes key, bytes person):
        """`key`: 1 to 64 bytes; `person`: up to 16. Raises ValueError."""
        cdef Py_ssize_t keyed = PyBytes_GET_SIZE(key)
        cdef Py_ssize_t named = PyBytes_GET_SIZE(person)
        cdef uint8_t[64] parameters
        cdef uint64_t[8] words
        cdef int word
        if keyed < 1 or keyed > 64 or named > 16:
            raise ValueError("a key has 1 to 64 bytes, a purpose 16 at most")
        memset(parameters, 0, 64)
        parameters[0], parameters[1], parameters[2], parameters[3] = KEPT, <uint8_t> keyed, 1, 1
        memcpy(parameters + 48, PyBytes_AS_STRING(person), named)
        memcpy(words, parameters, 64)
        for word in range(8):
            self.hash.state[word] = START[word] ^ words[word]
        memset(self.hash.block, 0, BLOCK)
        memcpy(self.hash.block, PyBytes_AS_STRING(key), keyed)
        self.hash.filled = BLOCK
        self.hash.before = 0
        self.seed = 0

    def __repr__(self):
        return "Begun(***)"

    def __reduce__(self):
        raise TypeError("a key is not told")

    def beginning(self, bytes data, uint32_t seed):
        """What begins with these bytes, too; lots are drawn by `seed`."""
        cdef Begun made = Begun.__new__(Begun)
        made.hash = self.hash
        made.seed = seed
        take(&made.hash, <const uint8_t*> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        return made

    def of(self, bytes data):
        """The fingerprint."""
        cdef Hash hash = self.hash
        take(&hash, <const uint8_t*> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        finish(&hash)
        return PyBytes_FromStringAndSize(<const char*> hash.state, KEPT)


def note(list masked, dict judged, within, bytes before, dict known, uint32_t share, frozenset blanks, blank):
    """Add to `known` what each of a document's masked values has become; the rules' places of those that have become
    something else before, each as often as that is.

    `judged` tells how the values of a state are; `within` makes the Begun of one; `blanks` may be what `blank` makes.
    """
    cdef list found = []
    cdef dict begun = {}
    cdef Begun scope
    cdef Hash hash
    cdef bytes old, new
    cdef uint8_t typed
    cdef uint32_t lot
    cdef uint64_t entry, other
    cdef int kind, new_kind
    cdef unsigned int place
    cdef tuple one
    for each in masked:
        if not isinstance(each, tuple) or len(each) < 5:
            raise TypeError("no masked value")
        one = <tuple> each  # a named one
        how = judged[one[0]]
        if how is None or one[3] is None:
            continue
        kind, new_kind = one[1], one[3]
        if kind == OBJECT or kind == ARRAY:
            continue
        old, new = <bytes?> one[2], <bytes?> one[4]
        if (kind == BINARY or new in blanks) and (new_kind, new) == blank(kind, old):
            continue
        alike = how.alike
        made = begun.get(alike)
        if made is None:
            made = begun[alike] = within(before, how)
        scope = <Begun?> made
        typed = <uint8_t> kind
        lot = checksum(scope.seed, &typed, 1)
        lot = checksum(lot, <const uint8_t*> PyBytes_AS_STRING(old), PyBytes_GET_SIZE(old)) & 0xFFFF
        if lot >= share:
            continue
        hash = scope.hash
        take(&hash, &typed, 1)
        take(&hash, <const uint8_t*> PyBytes_AS_STRING(old), PyBytes_GET_SIZE(old))
        finish(&hash)
        place = how.place
        entry = checksum(<uint32_t> new_kind, <const uint8_t*> PyBytes_AS_STRING(new), PyBytes_GET_SIZE(new))
        entry = entry << 32 | <uint64_t> lot << 16 | place
        other = known.setdefault(PyBytes_FromStringAndSize(<const char*> hash.state, KEPT), entry)
        if (other ^ entry) >> 32:
            found.append(place)
    return found
