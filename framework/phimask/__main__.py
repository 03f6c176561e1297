"""`python -m phimask` is `phimask`."""


def main() -> None:
    """The command line. It is imported here, since a spawned worker imports this module and needs nothing of that."""
    from phimask.cli.main import main as command_line  # noqa: PLC0415

    command_line()


if __name__ == "__main__":
    main()
