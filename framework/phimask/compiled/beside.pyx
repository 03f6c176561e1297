# cython: language_level=3
# cython: boundscheck=False
# cython: wraparound=False
"""Holds a document as it was beside what masking made of it: for validators, so nothing here is shared with masking.

All that is read of either document is held against the end of its bytes.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

cdef enum:
    STRING = 0x02
    CODE = 0x0D
    SYMBOL = 0x0E
    REGEX = 0x0B
    DEEPEST = 180  # levels: MongoDB has 100 at most, and the exact walk says what is too deep
    MOST = 2048  # ways to begin that a place remembers: keys may be data, and then there is no end to them
    # Treatments, as the validators number them.
    IDENTICAL = 0
    VALUE = 1
    SUB_DOCUMENT = 2
    ELEMENTS = 3
    REMOVED = 4

cdef uint64_t FIRST_HASH = 0xCBF29CE484222325U
cdef uint64_t HASH_PRIME = 0x100000001B3U
"""Of FNV-1a."""


cdef struct Way:
    uint64_t hash
    const uint8_t* head  # NULL: none is here
    Py_ssize_t length
    Py_ssize_t size  # of the value, or -1
    Py_ssize_t extra  # what it takes beyond the number at its start, or -1: it has none
    int treatment
    int kind
    Py_ssize_t place  # in `below` and `keys`
    bint easy


cdef class Place:
    """Where elements stand whom rules treat alike: what to do with each, by how it begins (type, key and NUL; in an
    array the type alone).

    `owner` is the validators' own, `state` what a masked value is told to have stood at.
    """

    cdef object owner, state
    cdef Way* ways
    cdef Py_ssize_t room, count
    cdef list heads, keys, below

    def __cinit__(self):
        self.ways = NULL

    def __init__(self, owner, state):
        self.owner = owner
        self.state = state
        self.heads, self.keys, self.below = [], [], []
        self.count = 0
        if self.ways == NULL:
            self.make(16)

    def __dealloc__(self):
        PyMem_Free(self.ways)

    cdef int make(self, Py_ssize_t room) except -1:
        cdef Way* ways = <Way*> PyMem_Calloc(room, sizeof(Way))
        cdef Way* old = self.ways
        cdef Py_ssize_t one, slot
        if ways == NULL:
            raise MemoryError
        if old != NULL:
            for one in range(self.room):
                if old[one].head != NULL:
                    slot = old[one].hash & <uint64_t> (room - 1)
                    while ways[slot].head != NULL:
                        slot = (slot + 1) & (room - 1)
                    ways[slot] = old[one]
            PyMem_Free(old)
        self.ways = ways
        self.room = room
        return 0

    cdef Way* find(self, const uint8_t* head, Py_ssize_t length, uint64_t hash) noexcept:
        cdef Py_ssize_t slot = hash & <uint64_t> (self.room - 1)
        while self.ways[slot].head != NULL:
            if self.ways[slot].hash == hash and self.ways[slot].length == length and memcmp(
                self.ways[slot].head, head, length
            ) == 0:
                return &self.ways[slot]
            slot = (slot + 1) & (self.room - 1)
        return NULL

    cdef Way* add(self, bytes head, uint64_t hash, tuple plan) except NULL:
        """Remember the validators' plan for elements that begin so."""
        cdef Py_ssize_t slot
        if self.count >= MOST:
            self.count = 0
            self.heads, self.keys, self.below = [], [], []
            for slot in range(self.room):
                self.ways[slot].head = NULL
        elif 2 * self.count >= self.room:
            self.make(2 * self.room)
        slot = hash & <uint64_t> (self.room - 1)
        while self.ways[slot].head != NULL:
            slot = (slot + 1) & (self.room - 1)
        treatment, size, extra, kind, below, key, easy = plan
        cdef Way way
        way.hash = hash
        way.head = <const uint8_t*> PyBytes_AS_STRING(head)
        way.length = PyBytes_GET_SIZE(head)
        way.treatment, way.size, way.extra, way.kind, way.easy = treatment, size, extra, kind, easy
        way.place = len(self.keys)
        below = <Place?> below.compiled
        self.heads.append(head)
        self.keys.append(<bytes?> key)
        self.below.append(below)
        self.ways[slot] = way
        self.count += 1
        return &self.ways[slot]


cdef class SideBySide:
    """The walk over one pair after the other.

    `plan` is asked once for each way to begin, and `may_be` about masked values that are not of the easy kind;
    `masked` makes what is told of one.
    """

    cdef object plan, may_be, masked_type, make
    cdef bytes old, new
    cdef const uint8_t* before
    cdef const uint8_t* after
    cdef Py_ssize_t before_size, after_size
    cdef list masked, untouched

    def __init__(self, plan, may_be, masked):
        self.plan = plan
        self.may_be = may_be
        self.masked_type = masked
        self.make = tuple.__new__

    def is_clean(self, Place top, bytes before, bytes after, list masked, list untouched):
        """Whether there is certainly nothing to find; `masked` and `untouched` are added to on the way, and mean nothing
        where there may be. Raises what `plan` and `may_be` raise."""
        self.old, self.new = before, after
        self.before = <const uint8_t*> PyBytes_AS_STRING(before)
        self.after = <const uint8_t*> PyBytes_AS_STRING(after)
        self.before_size = PyBytes_GET_SIZE(before)
        self.after_size = PyBytes_GET_SIZE(after)
        if self.before_size < 5 or self.after_size < 5:
            return False
        if number_at(self.before) != self.before_size or number_at(self.after) != self.after_size:
            return False
        self.masked, self.untouched = masked, untouched
        try:
            return self.container(0, self.before_size, 0, self.after_size, top, None, 0) == 1
        finally:
            self.old = self.new = None
            self.masked = self.untouched = None

    cdef int container(self, Py_ssize_t b_start, Py_ssize_t b_stop, Py_ssize_t a_start, Py_ssize_t a_stop, Place place,
                       bytes name, int depth) except -1:
        """Whether two documents or arrays are as they must be, each within its stop; `name` is the field that an array is,
        None: they are documents."""
        cdef const uint8_t* before = self.before
        cdef const uint8_t* after = self.after
        cdef Py_ssize_t b_last = b_stop - 1
        cdef Py_ssize_t a_last = a_stop - 1
        cdef Py_ssize_t b_at = b_start + 4
        cdef Py_ssize_t a_at = a_start + 4
        cdef Py_ssize_t same = b_at
        cdef Py_ssize_t b_value, a_value, b_end, a_end, length
        cdef bint in_array = name is not None
        cdef bint alike, there, descends
        cdef Way* way
        cdef int treatment, kind
        cdef Place below
        cdef bytes key, value, masked
        if depth > DEEPEST or b_stop > self.before_size or a_stop > self.after_size:
            return 0
        if b_at > b_last or a_at > a_last or before[b_last] != 0:
            return 0
        while b_at < b_last:
            b_value = end_of_text(before, b_at + 1, b_last)
            if b_value < 0:
                return 0
            way = self.way(place, b_at, 1 if in_array else b_value - b_at, b_value)
            treatment, kind = way.treatment, way.kind
            if way.size >= 0:
                length = way.size
            else:
                length = self.size_of(before, kind, way.extra, b_value, self.before_size)
            if length < 0 or length > b_last - b_value:
                return 0
            b_end = b_value + length
            if treatment == IDENTICAL:
                b_at = b_end
                continue
            if same < b_at:
                length = b_at - same
                if length > a_last - a_at or memcmp(before + same, after + a_at, length) != 0:
                    return 0
                self.untouched.append(PyBytes_FromStringAndSize(<const char*> before + same, length))
                a_at += length
            length = b_value - b_at
            a_value = a_at + length
            alike = length <= a_stop - a_at and memcmp(before + b_at, after + a_at, length) == 0
            key = <bytes> place.keys[way.place]
            below = <Place> place.below[way.place]
            if alike and way.easy:
                length = way.size
                if length < 0:
                    length = self.size_of(after, kind, 4, a_value, self.after_size)
                if length < 0 or length > a_last - a_value:
                    return 0
                a_end = a_value + length
                if (b_end - b_value != length or memcmp(before + b_value, after + a_value, length) != 0) and (
                    way.size >= 0 or (length > 4 and after[a_end - 1] == 0)
                ):
                    value = PyBytes_FromStringAndSize(<const char*> before + b_value, b_end - b_value)
                    masked = PyBytes_FromStringAndSize(<const char*> after + a_value, length)
                    self.masked.append(
                        self.make(
                            self.masked_type,
                            (below.state, kind, value, kind, masked, name if in_array else key, b_start),
                        )
                    )
                    b_at = same = b_end
                    a_at = a_end
                    continue
            length = b_value - b_at - 1
            there = alike or (
                a_at < a_last and length <= a_stop - a_at - 1 and memcmp(before + b_at + 1, after + a_at + 1, length) == 0
            )
            b_at = same = b_end
            if treatment == REMOVED:
                if there:
                    return 0
                value = PyBytes_FromStringAndSize(<const char*> before + b_value, b_end - b_value)
                self.masked.append(self.make(self.masked_type, (below.state, kind, value, None, b"", key, b_start)))
                continue
            if not there:
                return 0
            if treatment == VALUE:
                a_end = self.value(
                    b_value, b_end, kind, after[a_at], a_value, a_last, below, name if in_array else key, b_start, in_array
                )
                if a_end < 0:
                    return 0
                a_at = a_end
                continue
            descends = treatment == SUB_DOCUMENT or treatment == ELEMENTS
            if not alike or not descends:
                return 0
            length = self.size_of(after, kind, 0, a_value, self.after_size)
            if length < 0 or length > a_last - a_value:
                return 0
            a_at = a_value + length
            if treatment == SUB_DOCUMENT:
                key = None
            elif in_array:
                key = name
            if self.container(b_value, b_end, a_value, a_at, below, key, depth + 1) != 1:
                return 0
        if b_at != b_last:
            return 0
        length = b_stop - same
        self.untouched.append(PyBytes_FromStringAndSize(<const char*> before + same, length))
        return length == a_stop - a_at and memcmp(before + same, after + a_at, length) == 0

    cdef Way* way(self, Place place, Py_ssize_t at, Py_ssize_t length, Py_ssize_t value) except NULL:
        """What to do with the element at `at` of the document before masking; so many of its first bytes tell."""
        cdef const uint8_t* head = self.before + at
        cdef uint64_t hash = FIRST_HASH
        cdef Py_ssize_t one
        cdef Way* found
        for one in range(length):
            hash = (hash ^ head[one]) * HASH_PRIME
        hash ^= hash >> 32
        found = place.find(head, length, hash)
        if found == NULL:
            whole = PyBytes_FromStringAndSize(<const char*> head, value - at)
            plan = self.plan(place.owner, whole, length == 1)
            found = place.add(whole[:length], hash, plan)
        return found

    cdef Py_ssize_t size_of(self, const uint8_t* raw, int kind, Py_ssize_t extra, Py_ssize_t at, Py_ssize_t end) noexcept:
        """The bytes of a value of no fixed size, or -1 where that cannot be read."""
        cdef Py_ssize_t stop
        if kind == REGEX:
            stop = end_of_text(raw, at, end)
            if stop >= 0:
                stop = end_of_text(raw, stop, end)
            return -1 if stop < 0 else stop - at
        if extra < 0 or end - at < 4:
            return -1
        cdef uint32_t length = number_at(raw + at)
        if length > 0x7FFFFFFF - 16:
            return -1  # no document is as large
        return <Py_ssize_t> length + extra

    cdef Py_ssize_t value(self, Py_ssize_t b_value, Py_ssize_t b_end, int kind, int new_kind, Py_ssize_t a_value, Py_ssize_t a_last,
                          Place place, bytes name, Py_ssize_t group, bint in_array) except -2:
        """Where a masked value ends in the document after masking, or -1 if something may be wrong with it."""
        cdef Py_ssize_t length = fixed_size(new_kind)
        cdef Py_ssize_t end
        if length < 0:
            length = self.size_of(self.after, new_kind, extra_size(new_kind), a_value, self.after_size)
        if length < 0 or a_value > a_last or length > a_last - a_value:
            return -1
        end = a_value + length
        if (new_kind == STRING or new_kind == CODE or new_kind == SYMBOL) and (length < 5 or self.after[end - 1] != 0):
            return -1
        old = PyBytes_FromStringAndSize(<const char*> self.before + b_value, b_end - b_value)
        new = PyBytes_FromStringAndSize(<const char*> self.after + a_value, length)
        if not self.may_be(place.owner, kind, old, new_kind, new, in_array):
            return -1
        self.masked.append(self.make(self.masked_type, (place.state, kind, old, new_kind, new, name, group)))
        return end


def stretches(bytes data, bytes table, Py_ssize_t least):
    """All stretches of at least so many bytes between those that `table` makes a space, as it makes them, each once."""
    cdef const uint8_t* raw = <const uint8_t*> PyBytes_AS_STRING(data)
    cdef const uint8_t* made = <const uint8_t*> PyBytes_AS_STRING(table)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t start, one
    cdef set found = set()
    cdef bytes run
    cdef uint8_t* into
    if PyBytes_GET_SIZE(table) != 256:
        raise ValueError("a table has 256 bytes")
    while at < size:
        while at < size and made[raw[at]] == 0x20:
            at += 1
        start = at
        while at < size and made[raw[at]] != 0x20:
            at += 1
        if at - start >= least and at > start:
            run = PyBytes_FromStringAndSize(NULL, at - start)
            into = <uint8_t*> PyBytes_AS_STRING(run)
            for one in range(at - start):
                into[one] = made[raw[start + one]]
            found.add(run)
    return found


cdef inline uint32_t number_at(const uint8_t* at) noexcept nogil:
    cdef uint32_t found
    memcpy(&found, at, 4)
    return found


cdef inline Py_ssize_t end_of_text(const uint8_t* raw, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Behind the NUL that ends what begins at `at`, or -1."""
    if at >= end:
        return -1
    cdef const uint8_t* zero = <const uint8_t*> memchr(raw + at, 0, end - at)
    return -1 if zero == NULL else zero - raw + 1


cdef inline Py_ssize_t fixed_size(int kind) noexcept nogil:
    """Bytes of a value of this type, or -1 where they differ."""
    if kind == 0x01 or kind == 0x09 or kind == 0x11 or kind == 0x12:
        return 8
    if kind == 0x10:
        return 4
    if kind == 0x08:
        return 1
    if kind == 0x06 or kind == 0x0A or kind == 0x7F or kind == 0xFF:
        return 0
    if kind == 0x07:
        return 12
    return 16 if kind == 0x13 else -1


cdef inline Py_ssize_t extra_size(int kind) noexcept nogil:
    """Bytes that a value takes beyond the number that it begins with, or -1 where there is no such type, or number."""
    if kind == STRING or kind == CODE or kind == SYMBOL:
        return 4
    if kind == 0x03 or kind == 0x04 or kind == 0x0F:
        return 0
    if kind == 0x05:
        return 5
    return 16 if kind == 0x0C else -1
