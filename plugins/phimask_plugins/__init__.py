"""The built-in plugins, a package a kind, registered through the same hooks as anyone's."""
