"""What `free_text` is made of: a document's own originals in all their forms, dates in prose, HTML, stand-ins."""
