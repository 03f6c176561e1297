# cython: language_level=3
# cython: wraparound=False
"""Takes in keyed fingerprints of originals, as validators remember them: as bits of a filter, and each with what it has
become. Nothing here is shared with masking.
"""

from zlib import crc32

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    DOCUMENT = 0x03
    ARRAY = 0x04
    BINARY = 0x05
    PLACES = 6  # of a fingerprint in a filter, four bytes each

cdef list TYPES = [bytes((kind,)) for kind in range(256)]


def set_bits(bytearray bits not None, fingerprints):
    """Set those of each fingerprint, in a filter of 2^n bytes."""
    cdef uint32_t[PLACES] places
    cdef uint8_t* raw
    cdef uint64_t size
    cdef int one
    for fingerprint in fingerprints:
        if not PyBytes_Check(fingerprint) or PyBytes_GET_SIZE(fingerprint) != 4 * PLACES:
            raise ValueError("a fingerprint has 24 bytes")
        memcpy(places, PyBytes_AS_STRING(fingerprint), 4 * PLACES)
        size = PyByteArray_GET_SIZE(bits)  # each time: what makes fingerprints may have changed it
        if size == 0 or size & (size - 1):
            raise ValueError("a filter has 2^n bytes")
        raw = <uint8_t*> PyByteArray_AS_STRING(bits)
        for one in range(PLACES):
            raw[(places[one] & (8 * size - 1)) >> 3] |= 1 << (places[one] & 7)


def remember(list masked not None, dict judged not None, judge, within, dict blanks not None, blank, long share,
             dict known not None, conflicts):
    """What each masked value has become goes to `known`, by the original's fingerprint; where that is known as something
    else, `conflicts` counts.

    `blanks` has for each type but binaries what `blank` says of all its values. `judged` has for each state how values
    there are judged, once `judge` was told of them; `within` gives for that this document's `Fingerprints`, and a number by
    which lots are drawn.
    """
    cdef dict begun = {}
    cdef tuple one, scope, nothing
    cdef PyObject* found
    cdef uint64_t lot, entry
    cdef int kind, new_kind
    cdef bytes old, new, typed
    for item in masked:
        if not isinstance(item, tuple) or len(item) != 7:
            raise TypeError("not a masked value")
        one = <tuple> item
        found = PyDict_GetItemWithError(judged, one[0])
        if found == NULL:
            judge(masked)
            how = judged[one[0]]
        else:
            how = <object> found
        if how is None or one[3] is None:
            continue
        kind, old, new_kind, new = one[1], <bytes?> one[2], one[3], <bytes?> one[4]
        if kind == DOCUMENT or kind == ARRAY:
            continue
        found = NULL if kind == BINARY else PyDict_GetItemWithError(blanks, one[1])
        nothing = <tuple?> blank(kind, old) if found == NULL else <tuple?> <object> found
        if new_kind == <int> nothing[0] and new == <bytes?> nothing[1]:
            continue
        within_it = how.begun
        if within_it is None:
            alike = how.alike
            within_it = begun.get(alike)
            if within_it is None:
                within_it = begun[alike] = within(how)
        scope = <tuple?> within_it
        typed = <bytes> TYPES[kind] + old
        lot = <uint64_t> crc32(typed, scope[1]) & 0xFFFF
        if lot >= <uint64_t> share:
            continue
        fingerprint = scope[0].begun.copy()
        fingerprint.update(typed)
        original = fingerprint.digest()
        place = how.place
        entry = <uint64_t> crc32(new, one[3]) << 32 | lot << 16 | <uint64_t> place
        found = PyDict_GetItemWithError(known, original)
        if found == NULL:
            known[original] = entry
        elif (<uint64_t> <object> found ^ entry) >> 32:
            conflicts[place] += 1
