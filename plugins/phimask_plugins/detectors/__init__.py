"""The built-in detectors: `registered` lists them. All go by one scan of a text: `scanning` says how."""
