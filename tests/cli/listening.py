"""What makes a plugin file do something to its process at a command that it sends to MongoDB: end it, or write first.

`AT` names the moment: command, what its collection's name holds (or, behind =, is), its how many-th, `started` or
`succeeded`. `DO` is what is written: insert, delete, or bypass, an insert past the validator.
"""

LISTENING = """

import os
import signal

from pymongo import MongoClient, monitoring

AT = os.environ.get("AT", "")


class At(monitoring.CommandListener):
    def __init__(self):
        self.command, self.name, number, self.phase = AT.split("/")
        self.left = int(number)
        self.meant = None

    def started(self, event):
        named = str(event.command.get(event.command_name))
        meant = named == self.name[1:] if self.name.startswith("=") else self.name in named
        if self.left and event.command_name == self.command and meant:
            self.left -= 1
            if not self.left:
                self.meant = event.request_id
                if self.phase == "started":
                    act()

    def succeeded(self, event):
        if event.request_id == self.meant and self.phase == "succeeded":
            act()

    def failed(self, event):
        pass


def act():
    if "WRITE" not in os.environ:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    database, collection = os.environ["WRITE"].split(".", 1)
    with MongoClient(os.environ["PHIMASK_URI"]) as client:
        if os.environ.get("DO") == "delete":
            assert client[database][collection].delete_one({"_id": 7}).deleted_count
        else:
            past = os.environ.get("DO") == "bypass"
            client[database][collection].insert_one({"_id": "late", "Count": 0}, bypass_document_validation=past)


if AT:
    monitoring.register(At())
"""
