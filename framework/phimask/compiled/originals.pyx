# cython: language_level=3
# cython: wraparound=False
"""What a document's originals are known by, and whether words of theirs are still in it: for validators, so nothing here
is shared with masking.

Values come as the validators have them, as bytes of BSON: each read is held against the end of those bytes. A text that
is not plain ASCII, and whatever else is odd, goes back to the validators.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItemWithError
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

cdef enum:
    STRING = 0x02
    DOCUMENT = 0x03
    ARRAY = 0x04
    INT32 = 0x10
    INT64 = 0x12
    # As the validators have them, and say why.
    LONGEST_ORIGINAL = 200
    LONGEST = 4
    LEAST = 6
    LEAST_NUMBER = 7
    LEAST_DIGITS = 4
    LEAST_NAME = 8

cdef uint8_t[256] FOLDED
"""ASCII letters as small ones, all else as it is."""
cdef uint8_t[256] IN_WORDS
"""1: an ASCII letter, 2: a digit."""


cdef void make_tables() noexcept:
    cdef int code
    for code in range(256):
        FOLDED[code] = code + 32 if 0x41 <= code <= 0x5A else code
        IN_WORDS[code] = 1 if 0x61 <= FOLDED[code] <= 0x7A else 2 if 0x30 <= code <= 0x39 else 0


make_tables()


# --- what values are known by

cdef inline Py_ssize_t text_in(object value, const uint8_t** text) except -1:
    """The bytes of the text in a BSON string."""
    if not PyBytes_Check(value):
        raise TypeError("a value is bytes")
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    text[0] = <const uint8_t*> PyBytes_AS_STRING(value)
    if size <= 5:
        return 0
    text[0] += 4
    return size - 5


cdef inline bint is_ascii(const uint8_t* text, Py_ssize_t length) noexcept nogil:
    cdef Py_ssize_t at
    cdef uint8_t all_of_it = 0
    for at in range(length):
        all_of_it |= text[at]
    return all_of_it < 0x80


cdef inline Py_ssize_t digits_from(const uint8_t* text, Py_ssize_t at, Py_ssize_t length) noexcept nogil:
    cdef Py_ssize_t start = at
    while at < length and IN_WORDS[text[at]] == 2:
        at += 1
    return at - start


cdef bint is_date(const uint8_t* text, Py_ssize_t length) noexcept nogil:
    cdef Py_ssize_t first = digits_from(text, 0, length)
    cdef Py_ssize_t second, third
    if first == length:
        return (length == 8 or length == 14) and (memcmp(text, b"19", 2) == 0 or memcmp(text, b"20", 2) == 0)
    second = digits_from(text, first + 1, length)
    third = digits_from(text, first + second + 2, length)
    if second < 1 or second > 2:
        return False
    return (first == 4 and 1 <= third <= 2) or (1 <= first <= 2 and 2 <= third <= 4)


cdef Py_ssize_t known_by(const uint8_t* text, Py_ssize_t length, uint8_t* joined) noexcept nogil:
    """How many bytes an ASCII text is known by, which go to `joined`; 0: by none. At most so many as it has."""
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t size = 0
    cdef Py_ssize_t digits = 0
    cdef int words = 0
    if length < LEAST or (IN_WORDS[text[0]] == 2 and is_date(text, length)):
        return 0
    while words < LONGEST:
        while at < length and IN_WORDS[text[at]] == 0:
            at += 1
        if at == length:
            break
        words += 1
        while at < length and IN_WORDS[text[at]] != 0:
            digits += IN_WORDS[text[at]] == 2
            joined[size] = FOLDED[text[at]]
            size += 1
            at += 1
    if size < LEAST:
        return 0
    if digits == 0:
        return size if words > 1 and size >= LEAST_NAME else 0
    if digits == size:
        return size if size >= LEAST_NUMBER else 0
    return size if digits >= LEAST_DIGITS or (words > 1 and size >= 2 * LEAST_NAME) else 0


cdef Py_ssize_t written(int kind, object value, uint8_t* text) noexcept:
    """A whole number as it is written, at most 20 bytes, or -1 where these bytes are none."""
    cdef int32_t short_one
    cdef int64_t number
    cdef uint64_t rest
    cdef uint8_t[20] digits
    cdef Py_ssize_t size = 0
    cdef Py_ssize_t length = 0
    if PyBytes_GET_SIZE(value) != (4 if kind == INT32 else 8):
        return -1
    if kind == INT32:
        memcpy(&short_one, PyBytes_AS_STRING(value), 4)
        number = short_one
    else:
        memcpy(&number, PyBytes_AS_STRING(value), 8)
    rest = 0 - <uint64_t> number if number < 0 else <uint64_t> number
    if number < 0:
        text[0] = 0x2D
        length = 1
    while rest > 0 or size == 0:
        digits[size] = 0x30 + rest % 10
        rest //= 10
        size += 1
    while size > 0:
        size -= 1
        text[length] = digits[size]
        length += 1
    return length


cdef int kind_of(object one) except -1:
    """The type of a masked value; 0 where it is none of those that can be taken here."""
    if not isinstance(one, tuple) or len(one) != 7 or not PyBytes_Check((<tuple> one)[2]):
        raise TypeError("not a masked value")
    cdef int kind = (<tuple> one)[1]
    cdef uint8_t[24] number
    if kind == DOCUMENT or kind == ARRAY:
        return 0
    if (kind == INT32 or kind == INT64) and written(kind, (<tuple> one)[2], number) < 0:
        return 0
    return kind if 0 < kind < 256 else 0


def known(list masked not None, set seen not None, dict naming not None, is_naming):
    """What the originals of a document are known by, but for those in `seen`, to which they go; texts that are not
    ASCII; and names that stand together. None where something has to be looked at otherwise: then nothing was done.

    `naming` has for each key whether its field holds names; `is_naming` is asked about others.
    """
    cdef uint8_t[LONGEST_ORIGINAL] joined
    cdef uint8_t[24] number
    cdef const uint8_t* text
    cdef Py_ssize_t length
    cdef int kind
    cdef PyObject* names
    cdef set found = set()
    cdef list odd = []
    cdef dict groups = {}
    cdef tuple one
    for item in masked:
        if kind_of(item) == 0:
            return None
    for item in masked:
        one = <tuple> item
        kind = one[1]
        old = one[2]
        if kind == STRING and PyBytes_GET_SIZE(old) <= LONGEST_ORIGINAL:
            if old not in seen:
                seen.add(old)
                length = text_in(old, &text)
                if is_ascii(text, length):
                    length = known_by(text, length, joined)
                    if length > 0:
                        found.add(PyBytes_FromStringAndSize(<const char*> joined, length))
                else:
                    odd.append(PyBytes_FromStringAndSize(<const char*> text, length))
            key = one[5]
            names = PyDict_GetItemWithError(naming, key)
            if names == NULL:
                naming[key] = bool(is_naming(key))
                names = PyDict_GetItemWithError(naming, key)
            if names != NULL and <object> names:
                group = one[6]
                if group in groups:
                    (<list> groups[group]).append(one)
                else:
                    groups[group] = [one]
        elif kind == INT32 or kind == INT64:
            length = known_by(number, written(kind, old, number), joined)
            if length > 0:
                found.add(PyBytes_FromStringAndSize(<const char*> joined, length))
    return found, odd, [some for some in groups.values() if len(some) > 1]


# --- which of their words are elsewhere

cdef enum:
    ADD = 0
    MARK = 1  # those that are there
    MARKED = 2  # whether one is


cdef struct Word:
    const uint8_t* at  # NULL: none is here
    Py_ssize_t length
    uint64_t hash
    bint marked


cdef class Words:
    """Words of a document's originals. It points into them, so they have to stay."""

    cdef Word* words
    cdef Py_ssize_t room, count

    def __cinit__(self):
        self.room = 256
        self.words = <Word*> PyMem_Calloc(self.room, sizeof(Word))
        if self.words == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.words)

    cdef Word* place(self, const uint8_t* word, Py_ssize_t length, uint64_t hash) noexcept:
        """Where this word is, or would be."""
        cdef Py_ssize_t slot = hash & <uint64_t> (self.room - 1)
        cdef Word* one
        while True:
            one = &self.words[slot]
            if one.at == NULL or (one.hash == hash and one.length == length and is_same(one.at, word, length)):
                return one
            slot = (slot + 1) & (self.room - 1)

    cdef int grow(self) except -1:
        cdef Word* old = self.words
        cdef Word* more = <Word*> PyMem_Calloc(2 * self.room, sizeof(Word))
        cdef Py_ssize_t one
        if more == NULL:
            raise MemoryError
        self.words = more
        self.room *= 2
        for one in range(self.room // 2):
            if old[one].at != NULL:
                self.place(old[one].at, old[one].length, old[one].hash)[0] = old[one]
        PyMem_Free(old)
        return 0

    cdef bint meet(self, const uint8_t* word, Py_ssize_t length, int way) except -1:
        """Whether a word is there, or, where it is `MARKED` that counts, marked. One letter is no word."""
        cdef uint64_t hash = 0xCBF29CE484222325U
        cdef Py_ssize_t at
        cdef Word* place
        if length < 2:
            return False
        for at in range(length):
            hash = (hash ^ FOLDED[word[at]]) * 0x100000001B3U
        hash ^= hash >> 32
        if way == ADD and 2 * self.count >= self.room:
            self.grow()
        place = self.place(word, length, hash)
        if place.at == NULL:
            if way == ADD:
                place.at, place.length, place.hash = word, length, hash
                self.count += 1
            return False
        if way == MARK:
            place.marked = True
        return way != MARKED or place.marked

    cdef bint meet_all(self, const uint8_t* text, Py_ssize_t length, int way) except -1:
        """Whether any word of a text is, of those in ASCII."""
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t start
        cdef bint found = False
        while at < length:
            start = at
            while at < length and IN_WORDS[text[at]] != 0:
                at += 1
            found |= self.meet(text + start, at - start, way)
            at += 1
        return found

    cdef bint meet_each(self, words, int way) except -1:
        """The same of words that are bytes."""
        cdef bint found = False
        for word in words:
            found |= self.meet(<const uint8_t*> PyBytes_AS_STRING(<bytes?> word), PyBytes_GET_SIZE(word), way)
        return found


cdef inline bint is_same(const uint8_t* one, const uint8_t* other, Py_ssize_t length) noexcept nogil:
    cdef Py_ssize_t at
    for at in range(length):
        if FOLDED[one[at]] != FOLDED[other[at]]:
            return False
    return True


cdef inline bint may_hold_letters(const uint8_t* text, Py_ssize_t length) noexcept nogil:
    """Whether bytes beyond ASCII may be letters in UTF-8. Where none that begins one is followed by one that goes on,
    each is replaced when they are read, and stands between words."""
    cdef Py_ssize_t at
    for at in range(length - 1):
        if text[at] >= 0xC2 and 0x80 <= text[at + 1] < 0xC0:
            return True
    return False


cdef struct Digits:
    int last  # four as a number
    Py_ssize_t count
    uint8_t[1250] fours  # a bit for each number that four in a row make


cdef void take_digits(Digits* digits, const uint8_t* text, Py_ssize_t length) noexcept nogil:
    cdef Py_ssize_t at
    for at in range(length):
        if IN_WORDS[text[at]] == 2:
            digits.last = digits.last % 1000 * 10 + (text[at] - 0x30)
            digits.count += 1
            if digits.count >= 4:
                digits.fours[digits.last >> 3] |= 1 << (digits.last & 7)


cdef bint may_be_among(Digits* digits, const uint8_t* text, Py_ssize_t length) noexcept nogil:
    """Whether all fours in a number's first digits are there, so that it may be. With a NUL it may be more than one."""
    cdef Py_ssize_t at
    cdef int count = 0
    cdef int last = 0
    cdef bint found = True
    for at in range(length):
        if text[at] == 0:
            return True
        if IN_WORDS[text[at]] == 2 and count < LEAST_NUMBER:
            last = last % 1000 * 10 + (text[at] - 0x30)
            count += 1
            if count >= 4 and not digits.fours[last >> 3] & (1 << (last & 7)):
                found = False
    return found and count >= LEAST_DIGITS


def coinciding(set runs not None, list masked not None, words_in, words_of):
    """Which of these stretches of text have a word of a text that was masked; which texts those are; and whether numbers
    may be there: no only where certainly none is. None where something has to be looked at otherwise.

    `words_in` and `words_of` are asked about originals and stretches that are not ASCII.
    """
    cdef Words words = Words()
    cdef Digits digits
    cdef uint8_t[24] number
    cdef const uint8_t* text
    cdef Py_ssize_t length
    cdef int kind
    cdef bint found
    cdef dict others = {}
    cdef list near = []
    cdef list some = []
    memset(&digits, 0, sizeof(Digits))
    for one in masked:
        kind = kind_of(one)
        if kind == 0:
            return None
        old = (<tuple> one)[2]
        if kind == STRING and PyBytes_GET_SIZE(old) <= LONGEST_ORIGINAL:
            length = text_in(old, &text)
            if is_ascii(text, length):
                words.meet_all(text, length, ADD)
            elif old not in others:
                others[old] = list(words_in(PyBytes_FromStringAndSize(<const char*> text, length)))
                words.meet_each(others[old], ADD)
    for run in runs:
        text = <const uint8_t*> PyBytes_AS_STRING(<bytes?> run)
        length = PyBytes_GET_SIZE(run)
        take_digits(&digits, text, length)
        if may_hold_letters(text, length):
            found = words.meet_each(words_of(run), MARK)
        else:
            found = words.meet_all(text, length, MARK)
        if found:
            near.append(run)
    found = False
    for one in masked:
        kind = (<tuple> one)[1]
        old = (<tuple> one)[2]
        if kind == STRING and PyBytes_GET_SIZE(old) <= LONGEST_ORIGINAL:
            length = text_in(old, &text)
            if near and (
                words.meet_each(others[old], MARKED) if old in others else words.meet_all(text, length, MARKED)
            ):
                some.append(one)
            found = found or may_be_among(&digits, text, length)
        elif kind == INT32 or kind == INT64:
            found = found or may_be_among(&digits, number, written(kind, old, number))
    return near, some, found and digits.count >= LEAST_DIGITS
