# cython: language_level=3
# cython: wraparound=False
"""Counts what there is in a raw document: keys, levels, array elements."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t

from phimask.compiled.layout cimport ARRAY, DOCUMENT, end_of_document, end_of_text, end_of_value

cdef enum:
    DEEPEST = 1000  # levels that a walk may go down: MongoDB has 100 at most


cdef struct Counts:
    Py_ssize_t fields
    Py_ssize_t depth
    Py_ssize_t elements
    Py_ssize_t most_fields
    Py_ssize_t most_depth
    Py_ssize_t most_elements


def counted(bytes raw, Py_ssize_t most_fields, Py_ssize_t most_depth, Py_ssize_t most_elements):
    """Keys at every level, levels, array elements, or None where the bytes are no document. The counting ends where it
    is past any of these."""
    cdef Counts counts = Counts(0, 0, 0, most_fields, most_depth, most_elements)
    cdef bint sound
    cdef const uint8_t* data = <const uint8_t*> PyBytes_AS_STRING(raw)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw)
    with nogil:
        sound = walked(&counts, data, 0, size, 1, False, 0)
    return (counts.fields, counts.depth, counts.elements) if sound else None


def zeros(bytes raw):
    """How many of the bytes are zero."""
    cdef const uint8_t* data = <const uint8_t*> PyBytes_AS_STRING(raw)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw)
    cdef Py_ssize_t found = 0
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t stop
    cdef uint8_t some
    with nogil:
        while at < size:
            stop = at + 255 if size - at > 255 else size  # as many as a byte can count, which compilers do in parallel
            some = 0
            while at < stop:
                some += data[at] == 0
                at += 1
            found += some
    return found


cdef bint within(Counts* counts) noexcept nogil:
    return (
        counts.fields <= counts.most_fields
        and counts.depth <= counts.most_depth
        and counts.elements <= counts.most_elements
    )


cdef bint walked(
    Counts* counts, const uint8_t* raw, Py_ssize_t start, Py_ssize_t limit, Py_ssize_t depth, bint is_array, int level
) noexcept nogil:
    cdef Py_ssize_t end = end_of_document(raw, start, limit)
    cdef Py_ssize_t at = start + 4
    cdef Py_ssize_t zero, after
    cdef int kind
    if end < 0 or level > DEEPEST:
        return False
    if not is_array and depth > counts.depth:
        counts.depth = depth
    while at < end and within(counts):
        kind = raw[at]
        zero = end_of_text(raw, at + 1, end)
        if zero < 0:
            return False
        after = end_of_value(raw, kind, zero + 1, end)
        if after < 0:
            return False
        if is_array:
            counts.elements += 1
        else:
            counts.fields += 1
        if kind == DOCUMENT or kind == ARRAY:
            if not walked(counts, raw, zero + 1, after, depth + (kind == DOCUMENT), kind == ARRAY, level + 1):
                return False
        at = after
    return True
