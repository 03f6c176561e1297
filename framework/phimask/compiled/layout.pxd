"""Where things lie in raw BSON: lengths and sizes, each held against the end of what they are in.

Source: the BSON specification, version 1.1.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memchr, memcpy


cdef enum:
    DOUBLE = 0x01
    STRING = 0x02
    DOCUMENT = 0x03
    ARRAY = 0x04
    BINARY = 0x05
    UNDEFINED = 0x06
    OBJECT_ID = 0x07
    BOOL = 0x08
    DATE = 0x09
    NULL_VALUE = 0x0A
    REGEX = 0x0B
    DB_POINTER = 0x0C
    CODE = 0x0D
    SYMBOL = 0x0E
    CODE_WITH_SCOPE = 0x0F
    INT = 0x10
    TIMESTAMP = 0x11
    LONG = 0x12
    DECIMAL = 0x13
    MAX_KEY = 0x7F
    MIN_KEY = 0xFF


cdef inline int32_t int32_at(const uint8_t* at) noexcept nogil:
    cdef int32_t found
    memcpy(&found, at, 4)  # BSON is little-endian, and so is every machine that a mongod runs on but one
    return found


cdef inline int64_t int64_at(const uint8_t* at) noexcept nogil:
    cdef int64_t found
    memcpy(&found, at, 8)
    return found


cdef inline Py_ssize_t end_of_text(const uint8_t* raw, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Where the zero byte is that ends what begins at `at`, or -1."""
    if at >= end:
        return -1
    cdef const uint8_t* zero = <const uint8_t*> memchr(raw + at, 0, end - at)
    return -1 if zero == NULL else zero - raw


cdef inline Py_ssize_t end_of_document(const uint8_t* raw, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Where the zero byte is that ends the document at `at`, or -1: it does not fit in before `end`."""
    if end - at < 5:
        return -1
    cdef int32_t length = int32_at(raw + at)
    if length < 5 or length > end - at or raw[at + length - 1] != 0:
        return -1
    return at + length - 1


cdef inline Py_ssize_t size_of(const uint8_t* raw, Py_ssize_t at, Py_ssize_t end, int32_t least, Py_ssize_t more) noexcept nogil:
    """How many bytes the value at `at` has, which begins with a length and has so many more than that, or -1."""
    if end - at < 5:
        return -1
    cdef int32_t length = int32_at(raw + at)
    return -1 if length < least else length + more


cdef inline Py_ssize_t end_of_value(const uint8_t* raw, int kind, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Where the value at `at` ends, or -1: it does not fit in before `end`, or there is no such type."""
    cdef Py_ssize_t size
    if kind == STRING or kind == CODE or kind == SYMBOL:
        size = size_of(raw, at, end, 1, 4)
    elif kind == DOUBLE or kind == DATE or kind == LONG or kind == TIMESTAMP:
        size = 8
    elif kind == INT:
        size = 4
    elif kind == BOOL:
        size = 1
    elif kind == NULL_VALUE or kind == UNDEFINED or kind == MAX_KEY or kind == MIN_KEY:
        size = 0
    elif kind == DOCUMENT or kind == ARRAY or kind == CODE_WITH_SCOPE:
        size = size_of(raw, at, end, 5, 0)
    elif kind == OBJECT_ID:
        size = 12
    elif kind == DECIMAL:
        size = 16
    elif kind == BINARY:
        size = size_of(raw, at, end, 0, 5)
    elif kind == REGEX:
        at = end_of_text(raw, at, end)
        if at < 0:
            return -1
        at = end_of_text(raw, at + 1, end)
        return -1 if at < 0 else at + 1
    elif kind == DB_POINTER:
        size = size_of(raw, at, end, 1, 16)
    else:
        return -1
    return -1 if size < 0 or size > end - at else at + size
