"""What `fake` puts in place of values: one function per kind, a keyed hash and a text in, a made-up text out.

Each draws from HMAC-SHA-256 of its kind and of the normalized text, so that one key gives one fake for one value
wherever it stands; none returns the text it was given. None in place of a text: this one cannot be faked.
"""
