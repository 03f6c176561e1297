# cython: language_level=3
# cython: wraparound=False
"""Puts masked values into a raw document, and the lengths of all that encloses them right. No other byte changes."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.datetime cimport (
    PyDateTime_CheckExact, PyDateTime_DateTime, datetime_day, datetime_hour, datetime_microsecond, datetime_minute,
    datetime_month, datetime_second, datetime_tzinfo, datetime_year, import_datetime,
)
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport INT32_MAX, INT32_MIN, int32_t, int64_t, uint8_t
from libc.string cimport memcpy

from phimask.compiled.layout cimport (
    ARRAY, BINARY, BOOL, DATE, DOCUMENT, DOUBLE, INT, LONG, NULL_VALUE, OBJECT_ID, STRING,
    end_of_document, end_of_text, end_of_value,
)

import_datetime()

cdef enum:
    DEEPEST = 1000  # levels: MongoDB has 100 at most


cdef class Patcher:
    """Makes documents with other values at some of their elements.

    `encode` tells the type and the bytes of a value; `remove` is what stands for a field that is to be taken out. `int64` and
    `object_id` are PyMongo's classes.
    """

    cdef object encode, remove, int64, object_id
    cdef uint8_t* out
    cdef Py_ssize_t size, room
    cdef const uint8_t* raw
    cdef Py_ssize_t copied
    cdef list places, values
    cdef Py_ssize_t turn, next, none_left

    def __cinit__(self):
        self.out = NULL
        self.size = self.room = 0

    def __init__(self, encode, remove, int64, object_id):
        self.encode = encode
        self.remove = remove
        self.int64 = int64
        self.object_id = object_id

    def __dealloc__(self):
        PyMem_Free(self.out)

    def patched(self, bytes raw, dict edits):
        """The document with each value of `edits` at the element that begins at its key.

        Raises ValueError where no element begins, and what `encode` raises.
        """
        cdef Py_ssize_t size = PyBytes_GET_SIZE(raw)
        self.places = sorted(edits)
        self.values = [edits[place] for place in self.places]
        self.raw = <const uint8_t*> PyBytes_AS_STRING(raw)
        self.size = self.copied = self.turn = 0
        self.none_left = size
        self.next = self.places[0] if self.places else size
        try:
            self.document(0, size, 0)
            if self.turn < len(self.places):
                raise ValueError("no element begins there")
            return PyBytes_FromStringAndSize(<char*> self.out, self.size)
        finally:
            self.places = self.values = None
            self.raw = NULL

    cdef int put(self, const void* what, Py_ssize_t size) except -1:
        cdef void* more
        cdef Py_ssize_t room
        if size > self.room - self.size:
            room = 2 * self.room + size
            more = PyMem_Realloc(self.out, room)
            if more == NULL:
                raise MemoryError
            self.out = <uint8_t*> more
            self.room = room
        memcpy(self.out + self.size, what, size)
        self.size += size
        return 0

    cdef int copy(self, Py_ssize_t upto) except -1:
        """What stays as it was, up to there."""
        self.put(self.raw + self.copied, upto - self.copied)
        self.copied = upto
        return 0

    cdef int document(self, Py_ssize_t start, Py_ssize_t limit, int depth) except -1:
        """The document or array at `start`, all of it."""
        cdef const uint8_t* raw = self.raw
        cdef Py_ssize_t end = end_of_document(raw, start, limit)
        cdef Py_ssize_t at = start + 4
        cdef Py_ssize_t zero, after, begun, length
        cdef int kind
        cdef int32_t whole
        if end < 0 or depth > DEEPEST:
            raise ValueError("no document")
        self.copy(start)
        begun = self.size
        while at < end:
            kind = raw[at]
            zero = end_of_text(raw, at + 1, end)
            after = -1 if zero < 0 else end_of_value(raw, kind, zero + 1, end)
            if after < 0 or self.next < at:
                raise ValueError("no element begins there")
            if self.next == at:
                value = self.values[self.turn]
                self.turn += 1
                self.next = self.places[self.turn] if self.turn < len(self.places) else self.none_left
                self.copy(at)
                if value is not self.remove:
                    self.element(value, at + 1, zero + 1)
                self.copied = after
            elif self.next < after:
                if kind != DOCUMENT and kind != ARRAY:
                    raise ValueError("no element begins there")
                self.document(zero + 1, after, depth + 1)
            at = after
        self.copy(end + 1)
        length = self.size - begun
        if length > INT32_MAX:
            raise ValueError("no document is as large")
        whole = <int32_t> length
        memcpy(self.out + begun, &whole, 4)
        return 0

    cdef int begin(self, uint8_t kind, Py_ssize_t key, Py_ssize_t after_key) except -1:
        """An element of this type under the key that it had."""
        self.put(&kind, 1)
        return self.put(self.raw + key, after_key - key)

    cdef int element(self, object value, Py_ssize_t key, Py_ssize_t after_key) except -1:
        cdef uint8_t kind
        cdef Py_ssize_t size
        cdef int32_t length
        cdef int64_t number
        cdef double real
        cdef const char* text
        cdef object sort = type(value)
        cdef bytes encoded = None
        if sort is str:
            text = PyUnicode_AsUTF8AndSize(value, &size)
            if size >= INT32_MAX:
                raise ValueError("no text is as long")
            length = <int32_t> size + 1
            self.begin(STRING, key, after_key)
            self.put(&length, 4)
            return self.put(text, size + 1)
        if value is None:
            return self.begin(NULL_VALUE, key, after_key)
        if sort is int or sort is self.int64:
            number = value
            if sort is int and INT32_MIN <= number <= INT32_MAX:
                length = <int32_t> number
                self.begin(INT, key, after_key)
                return self.put(&length, 4)
            self.begin(LONG, key, after_key)
            return self.put(&number, 8)
        if PyDateTime_CheckExact(value) and datetime_tzinfo(value) is None:
            number = milliseconds_of(value)
            self.begin(DATE, key, after_key)
            return self.put(&number, 8)
        if sort is float:
            real = value
            self.begin(DOUBLE, key, after_key)
            return self.put(&real, 8)
        if sort is bool:
            kind = 1 if value else 0
            self.begin(BOOL, key, after_key)
            return self.put(&kind, 1)
        if sort is self.object_id:
            kind = OBJECT_ID
            encoded = value.binary
        else:
            found, encoded = self.encode(value)
            kind = found
        self.begin(kind, key, after_key)
        return self.put(PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded))


def put(list places, values):
    """Put each value where its place says: in a mapping or list, under a key. Raises ValueError where they are not as many."""
    cdef list given = list(values)
    cdef tuple place
    cdef Py_ssize_t at
    if len(given) != len(places):
        raise ValueError("not as many values as places")
    for at in range(len(given)):
        place = <tuple?> places[at]
        place[0][place[1]] = given[at]


cdef int64_t milliseconds_of(object value):
    """Since 1970, of a naive datetime in UTC; what is less than one is left off. Years begin in March here."""
    cdef int64_t year = datetime_year(value)
    cdef int64_t month = datetime_month(value)
    if month <= 2:
        year -= 1
    cdef int64_t era = year // 400
    cdef int64_t year_of_era = year - era * 400
    cdef int64_t day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + datetime_day(value) - 1
    cdef int64_t days = era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
    cdef int64_t seconds = (days * 24 + datetime_hour(value)) * 3600 + datetime_minute(value) * 60 + datetime_second(value)
    return seconds * 1000 + datetime_microsecond(value) // 1000
