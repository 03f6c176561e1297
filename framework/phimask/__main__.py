"""`python -m phimask` is `phimask`."""

from phimask.cli.main import main

if __name__ == "__main__":
    main()
