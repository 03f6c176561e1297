"""MongoDB: connecting, reading, writing; the embedded server and the sample documents."""
