# cython: language_level=3
# cython: wraparound=False
"""The walk through raw documents to the values that rules cover: the decoded walk's, without decoding all the rest.

It takes what it can treat exactly, and leaves every other document, untouched, to the walks in Python: keys that stand
twice, keys that no dotted path names, values that do not decode and encode back to the same bytes.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.datetime cimport datetime_new, import_datetime
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from phimask.compiled.layout cimport (
    ARRAY, BOOL, DATE, DOCUMENT, DOUBLE, INT, LONG, NULL_VALUE, OBJECT_ID, STRING, UNDEFINED,
    end_of_document, end_of_text, end_of_value, int32_at, int64_at,
)

import_datetime()

cdef enum:
    DEEPEST = 180  # levels: MongoDB has 100 at most, and the walks in Python say what is too deep
    FEW = 16  # keys: so many are held against each other

cdef uint64_t FIRST_HASH = 14695981039346656037U  # FNV-1a, 64 bits
cdef uint64_t HASH_PRIME = 1099511628211U

cdef int64_t FIRST_DATE = -62135596800000  # datetime.min and .max, in milliseconds since 1970
cdef int64_t LAST_DATE = 253402300799999


class Odd(Exception):
    """Only a walk in Python can treat this document exactly."""


cdef struct Named:
    uint64_t hash
    const uint8_t* key
    Py_ssize_t length
    Py_ssize_t child  # its place among the node's children; -1: leads nowhere
    bint nameable
    bint used


cdef class Node:
    """Where the walk stands after some keys, bound to the column of the rule that covers values there.

    `values`, `places` and `subjects` are that column's lists, None where there is no rule, or none that asks for subjects.
    `opens` is what to call with a field that is encoded.
    """

    cdef list values, places, subjects, children, keys
    cdef object opens, state
    cdef Py_ssize_t rule
    cdef int whose
    cdef bint keeps, whole_documents, whole_arrays, expanded
    cdef Node other
    cdef Named* named
    cdef uint64_t most

    def __cinit__(self):
        self.named = NULL
        self.expanded = False

    def __init__(self, state, rule, list values, list places, list subjects, whose, opens, *, keeps, whole_documents, whole_arrays):
        self.state = state
        self.rule = rule
        self.values = values
        self.places = places
        self.subjects = subjects
        self.whose = whose
        self.opens = opens
        self.keeps = keeps
        self.whole_documents = whole_documents
        self.whole_arrays = whole_arrays

    def __dealloc__(self):
        PyMem_Free(self.named)

    cdef int expand(self, object after) except -1:
        """Lay out what is one key further: `after` tells the named keys, the node behind each, and all others' node."""
        cdef Py_ssize_t size = 4
        cdef uint64_t at
        named, self.other = after(self.state)
        while size < 2 * len(named):
            size *= 2
        PyMem_Free(self.named)
        self.named = <Named*> PyMem_Malloc(size * sizeof(Named))
        if self.named == NULL:
            raise MemoryError
        memset(self.named, 0, size * sizeof(Named))
        self.most = size - 1
        self.keys = []
        self.children = []
        cdef bytes key
        cdef uint64_t hash
        for key, child, nameable in named:
            self.keys.append(key)
            hash_text(<const uint8_t*> PyBytes_AS_STRING(key), 0, PyBytes_GET_SIZE(key), &hash)
            at = hash & self.most
            while self.named[at].used:
                at = (at + 1) & self.most
            self.named[at].hash = hash
            self.named[at].key = <const uint8_t*> PyBytes_AS_STRING(key)
            self.named[at].length = PyBytes_GET_SIZE(key)
            self.named[at].nameable = nameable
            self.named[at].used = True
            self.named[at].child = -1
            if child is not None:
                self.named[at].child = len(self.children)
                self.children.append(child)
        self.expanded = True
        self.state = None
        return 0


cdef inline Py_ssize_t hash_text(const uint8_t* raw, Py_ssize_t at, Py_ssize_t end, uint64_t* found) noexcept nogil:
    """Where the text at `at` ends: at a zero byte, or at `end`. Its hash is put where `found` says."""
    cdef uint64_t hash = FIRST_HASH
    while at < end and raw[at] != 0:
        hash = (hash ^ raw[at]) * HASH_PRIME
        at += 1
    found[0] = hash
    return at


cdef class Walk:
    """Gathers values of one document after the other into the columns of its nodes.

    `after` tells what is one key further than a state; `decode` decodes a value, given its type and bytes, and raises Odd
    where it would not be encoded to the same bytes; `object_id` and `int64` make PyMongo's classes; `kept` counts, by
    rule, what stays as it is.
    """

    cdef object after, decode, object_id, int64
    cdef list kept
    cdef const uint8_t* raw
    cdef bytes held
    cdef Py_ssize_t number
    cdef tuple subjects
    cdef dict target
    cdef bint by_path, dotted
    cdef uint8_t* path
    cdef Py_ssize_t path_room
    cdef uint64_t* hashes
    cdef Py_ssize_t hash_count, hash_room
    cdef uint64_t* table
    cdef Py_ssize_t table_room

    def __cinit__(self):
        self.path = NULL
        self.hashes = self.table = NULL
        self.path_room = self.hash_room = self.table_room = 0

    def __init__(self, after, decode, object_id, int64, list kept):
        self.after = after
        self.decode = decode
        self.object_id = object_id
        self.int64 = int64
        self.kept = kept

    def __dealloc__(self):
        PyMem_Free(self.path)
        PyMem_Free(self.hashes)
        PyMem_Free(self.table)

    def gather(self, Node node, bytes raw, Py_ssize_t number, tuple subjects, dict target, *, bint by_path, bint dotted,
               bint in_array=False, Py_ssize_t first=0, bytes prefix=b""):
        """Add the values of document `number`, by the automaton that begins at `node`.

        A value's place has `target` and, `by_path`, its dotted path, else where its element begins in `raw`. `in_array`: `raw`
        holds an array's elements from the one at `first` on; `prefix`: the path up to what `raw` holds.
        Raises Odd, then with some values already added.
        """
        self.held = raw
        self.raw = <const uint8_t*> PyBytes_AS_STRING(raw)
        self.number = number
        self.subjects = subjects
        self.target = target
        self.by_path = by_path
        self.dotted = dotted
        self.hash_count = 0
        cdef Py_ssize_t size = PyBytes_GET_SIZE(raw)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(prefix)
        if end_of_document(self.raw, 0, size) != size - 1:
            raise Odd
        self.make_room(length)
        memcpy(self.path, PyBytes_AS_STRING(prefix), length)
        try:
            if in_array:
                self.array(node, 0, size, length, 0, first)
            else:
                self.document(node, 0, size, length, 0)
        except UnicodeDecodeError:
            raise Odd from None
        finally:
            self.held = None
            self.raw = NULL
            self.target = None

    cdef int make_room(self, Py_ssize_t length) except -1:
        """See that a path of so many bytes, with a dot or a number behind it, can be spelt."""
        cdef Py_ssize_t room = length + 32
        cdef void* more
        if room > self.path_room:
            room *= 2
            more = PyMem_Realloc(self.path, room)
            if more == NULL:
                raise MemoryError
            self.path = <uint8_t*> more
            self.path_room = room
        return 0

    cdef int note(self, uint64_t hash) except -1:
        """Remember a key of the level."""
        cdef void* more
        if self.hash_count == self.hash_room:
            self.hash_room = 2 * self.hash_room + 64
            more = PyMem_Realloc(self.hashes, self.hash_room * sizeof(uint64_t))
            if more == NULL:
                raise MemoryError
            self.hashes = <uint64_t*> more
        self.hashes[self.hash_count] = hash
        self.hash_count += 1
        return 0

    cdef int all_differ(self, Py_ssize_t since) except -1:
        """Forget the level's keys. Raises Odd where two are the same, or may be."""
        cdef Py_ssize_t count = self.hash_count - since
        cdef uint64_t* keys = self.hashes + since
        cdef Py_ssize_t one, two, size
        cdef uint64_t hash, at
        cdef void* more
        self.hash_count = since
        if count <= FEW:
            for one in range(1, count):
                for two in range(one):
                    if keys[one] == keys[two]:
                        raise Odd
            return 0
        size = 32
        while size < 2 * count:
            size *= 2
        if size > self.table_room:
            more = PyMem_Realloc(self.table, size * sizeof(uint64_t))
            if more == NULL:
                raise MemoryError
            self.table = <uint64_t*> more
            self.table_room = size
        memset(self.table, 0, size * sizeof(uint64_t))
        for one in range(count):
            hash = keys[one] if keys[one] else 1
            at = hash & <uint64_t> (size - 1)
            while self.table[at]:
                if self.table[at] == hash:
                    raise Odd
                at = (at + 1) & <uint64_t> (size - 1)
            self.table[at] = hash
        return 0

    cdef int document(self, Node node, Py_ssize_t start, Py_ssize_t limit, Py_ssize_t prefix, int depth) except -1:
        cdef const uint8_t* raw = self.raw
        cdef Py_ssize_t end = end_of_document(raw, start, limit)
        cdef Py_ssize_t since = self.hash_count
        cdef Py_ssize_t at = start + 4
        cdef Py_ssize_t key, zero, after
        cdef uint64_t hash, slot
        cdef int kind
        cdef Node below
        cdef bint nameable
        if end < 0 or depth > DEEPEST:
            raise Odd
        if not node.expanded:
            node.expand(self.after)
        while at < end:
            kind = raw[at]
            key = at + 1
            zero = hash_text(raw, key, end, &hash)
            if zero == end:
                raise Odd
            after = end_of_value(raw, kind, zero + 1, end)
            if after < 0:
                raise Odd
            self.note(hash)
            below = node.other
            slot = hash & node.most
            nameable = True
            while node.named[slot].used:
                if node.named[slot].hash == hash and node.named[slot].length == zero - key and memcmp(
                    node.named[slot].key, raw + key, zero - key
                ) == 0:
                    below = None
                    if node.named[slot].child >= 0:
                        below = <Node> node.children[node.named[slot].child]
                        nameable = node.named[slot].nameable
                    break
                slot = (slot + 1) & node.most
            else:
                if below is not None and self.dotted:
                    nameable = can_be_named(raw + key, zero - key)
            if below is not None and kind != NULL_VALUE and kind != UNDEFINED:
                self.value(below, kind, at, key, zero - key, zero + 1, after, prefix, True, nameable, depth)
            at = after
        if at != end:
            raise Odd
        self.all_differ(since)
        return 0

    cdef int array(self, Node node, Py_ssize_t start, Py_ssize_t limit, Py_ssize_t prefix, int depth, Py_ssize_t first) except -1:
        cdef const uint8_t* raw = self.raw
        cdef Py_ssize_t end = end_of_document(raw, start, limit)
        cdef Py_ssize_t at = start + 4
        cdef Py_ssize_t index = first
        cdef Py_ssize_t key, zero, after, digit, rest
        cdef int kind
        if end < 0 or depth > DEEPEST:
            raise Odd
        while at < end:
            kind = raw[at]
            key = at + 1
            zero = end_of_text(raw, key, end)
            if zero < 0:
                raise Odd
            # The key has to be the element's place: no update names another.
            rest = index
            digit = zero - 1
            while digit >= key and raw[digit] == 48 + rest % 10:
                rest //= 10
                digit -= 1
                if rest == 0:
                    break
            if zero == key or rest != 0 or digit != key - 1:
                raise Odd
            after = end_of_value(raw, kind, zero + 1, end)
            if after < 0:
                raise Odd
            if kind != NULL_VALUE and kind != UNDEFINED:
                self.value(node, kind, at, key, zero - key, zero + 1, after, prefix, False, True, depth)
            index += 1
            at = after
        if at != end:
            raise Odd
        return 0

    cdef int value(self, Node node, int kind, Py_ssize_t element, Py_ssize_t key, Py_ssize_t length, Py_ssize_t value, Py_ssize_t after,
                   Py_ssize_t prefix, bint is_field, bint nameable, int depth) except -1:
        cdef bint inside = (kind == DOCUMENT and not node.whole_documents) or (kind == ARRAY and not node.whole_arrays)
        if not inside and node.values is None and node.opens is None:
            return 0
        if self.dotted:
            if not nameable:
                raise Odd
            self.make_room(prefix + length)
            memcpy(self.path + prefix, self.raw + key, length)
        if inside:
            if self.dotted:
                self.path[prefix + length] = 46
            if kind == DOCUMENT:
                return self.document(node, value, after, prefix + length + 1, depth + 1)
            return self.array(node, value, after, prefix + length + 1, depth + 1, 0)
        cdef str path = ""
        if node.opens is not None and kind != DOCUMENT and kind != ARRAY:
            decoded = self.decoded(kind, value, after)
            if self.dotted:
                path = PyUnicode_DecodeUTF8(<char*> self.path, prefix + length, NULL)
            node.opens(self.target, path if self.by_path else element, decoded, self.number, is_field, path, self.subjects)
            return 0
        if node.values is None:
            return 0
        if node.keeps:
            self.kept[node.rule] += 1
            return 0
        decoded = self.decoded(kind, value, after)
        if self.dotted:
            path = PyUnicode_DecodeUTF8(<char*> self.path, prefix + length, NULL)
        node.values.append(decoded)
        node.places.append((self.target, path if self.by_path else element, self.number, is_field, path))
        if node.subjects is not None:
            node.subjects.append(self.subjects[node.whose])
        return 0

    cdef object decoded(self, int kind, Py_ssize_t value, Py_ssize_t after):
        cdef const uint8_t* raw = self.raw
        cdef int64_t number
        if kind == STRING:
            if raw[after - 1] != 0:
                raise Odd
            return PyUnicode_DecodeUTF8(<const char*> raw + value + 4, after - value - 5, NULL)
        if kind == INT:
            return int32_at(raw + value)
        if kind == DATE:
            number = int64_at(raw + value)
            if FIRST_DATE <= number <= LAST_DATE:
                return date_of(number)
        elif kind == DOUBLE:
            return double_at(raw + value)
        elif kind == BOOL:
            if raw[value] > 1:
                raise Odd
            return raw[value] == 1
        elif kind == LONG:
            return self.int64(int64_at(raw + value))
        elif kind == OBJECT_ID:
            return self.object_id(self.held[value:after])
        return self.decode(kind, self.held[value:after])


cdef inline double double_at(const uint8_t* at) noexcept nogil:
    cdef double found
    memcpy(&found, at, 8)
    return found


cdef inline bint can_be_named(const uint8_t* key, Py_ssize_t length) noexcept nogil:
    """Whether a dotted path can name it."""
    cdef Py_ssize_t at
    if length == 0 or key[0] == 36:
        return False
    for at in range(length):
        if key[at] == 46:
            return False
    return True


cdef object date_of(int64_t milliseconds):
    """A naive datetime in UTC. Days are turned into a date of the proleptic Gregorian calendar in years that begin in March."""
    cdef int64_t days = milliseconds // 86400000
    cdef int64_t rest = milliseconds % 86400000  # as Python divides: downwards
    days += 719468
    cdef int64_t era = days // 146097
    cdef int64_t day_of_era = days - era * 146097
    cdef int64_t year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    cdef int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    cdef int64_t month = (5 * day_of_year + 2) // 153
    cdef int64_t day = day_of_year - (153 * month + 2) // 5 + 1
    cdef int64_t year = year_of_era + era * 400
    month = month + 3 if month < 10 else month - 9
    if month <= 2:
        year += 1
    return datetime_new(
        year, month, day, rest // 3600000, rest // 60000 % 60, rest // 1000 % 60, rest % 1000 * 1000, None
    )


def element_at(bytes raw, tuple keys):
    """Where the value at these keys lies: its type, where it begins and where it ends, or None. The last of several holds.

    Raises Odd for what is no document up to there.
    """
    cdef const uint8_t* data = <const uint8_t*> PyBytes_AS_STRING(raw)
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t limit = PyBytes_GET_SIZE(raw)
    cdef Py_ssize_t at, end, zero, after, length
    cdef Py_ssize_t found_start = 0, found_end = 0
    cdef int kind, found = DOCUMENT
    cdef bint seen
    cdef bytes key
    for key in keys:
        if found != DOCUMENT:
            return None
        end = end_of_document(data, start, limit)
        if end < 0:
            raise Odd
        length = PyBytes_GET_SIZE(key)
        seen = False
        at = start + 4
        while at < end:
            kind = data[at]
            zero = end_of_text(data, at + 1, end)
            if zero < 0:
                raise Odd
            after = end_of_value(data, kind, zero + 1, end)
            if after < 0:
                raise Odd
            if zero - at - 1 == length and memcmp(data + at + 1, PyBytes_AS_STRING(key), length) == 0:
                seen, found, found_start, found_end = True, kind, zero + 1, after
            at = after
        if not seen:
            return None
        start, limit = found_start, found_end
    return found, found_start, found_end
