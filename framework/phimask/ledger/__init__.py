"""The ledger: runs, partitions with their leases and intents, quarantine. The only truth about progress.

It lives in collections of MongoDB, in the deployment that is masked or in another one. Times in it are the server's.
It holds counts, names, keyed fingerprints and `_id`s, and never another value of a document.
"""
