"""The `phimask` command: its commands, and errors turned into messages and exit codes."""

from __future__ import annotations

import io
import re
import signal
import sys
from collections.abc import Sequence
from typing import Any

import click

import phimask
from phimask.cli.commands import COMMANDS
from phimask.cli.show import say
from phimask.compiled import MISSING
from phimask.config.uris import holds_credential
from phimask.config.wording import is_encodable
from phimask.cycles import look_seldom
from phimask.errors import PhimaskError, is_own
from phimask.log import close_log, configure_log, scrub

_USAGE = 2
_INTERRUPTED = 130


class _Phimask(click.Group):
    """`phimask --profile emergency` is `phimask run --profile emergency`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "-h", "--version"}
        if not args or (args[0] not in own and args[0].startswith("-")):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        return COMMANDS[cmd_name].command() if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].purpose) for name in self.list_commands(ctx)])


@click.group(
    cls=_Phimask,
    commands={name: click.Command(name) for name in COMMANDS},  # in name only, until one is asked for
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done and verified; 1 failed; 2 bad usage, configuration or preflight hazard, nothing "
    "written; 3 done, but verification found something; 4 stopped safely; 130 interrupted.",
)
@click.version_option(
    phimask.__version__,
    prog_name="phimask",
    message=f"%(prog)s, version %(version)s\nwalks: {f'Python ({MISSING})' if MISSING else 'compiled'}",
)
def cli() -> None:
    """Mask protected health information in MongoDB collections.

    Without a command: run. Without --uri and phimask.yaml, a run masks sample documents in a MongoDB of its
    own, so that a first look needs nothing.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with the contract's exit code."""
    look_seldom()
    _be_interrupted()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def _be_interrupted() -> None:
    """Have SIGTERM end a command as Ctrl-C does, unless whoever started it has it ignored.

    A run, once it has begun, finishes its batches on it; all that comes before would be killed by it, without a word.
    """
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def run(arguments: Sequence[str]) -> int:
    """Run the command line; the exit code is returned."""
    configure_log(None)  # plugins are at work in other commands than run, too
    if not all(map(is_encodable, arguments)):
        say("error: an argument is not text as this system spells it (UTF-8, mostly); write it anew")
        return _USAGE
    try:
        result: Any = cli.main(args=list(arguments), prog_name="phimask", standalone_mode=False)
    except click.exceptions.Abort:
        say("interrupted; nothing was written")
        return _INTERRUPTED
    except click.ClickException as error:
        if not _is_ours(error):
            return _unforeseen(error)
        shown = io.StringIO()
        error.show(file=shown)
        told = re.sub(r"^Error: ", "error: ", shown.getvalue().rstrip(), flags=re.MULTILINE)
        say(_without_credentials(told, arguments))
        return _USAGE
    except PhimaskError as error:
        say("\n".join(f"error: {line}" for line in str(error).splitlines()))
        return error.exit_code
    except BrokenPipeError:
        return 1
    # SystemExit and their like, too: Python would print what they say, and a traceback.
    except BaseException as error:  # noqa: BLE001  (an unforeseen error's message may hold a value: say type and place)
        return _unforeseen(error)
    finally:
        close_log()
    return result if isinstance(result, int) else 0


def _without_credentials(message: str, arguments: Sequence[str]) -> str:
    """What click says repeats what was typed, and somebody may have typed a connection string in the wrong place."""
    for argument in arguments:
        for text in (argument, argument.partition("=")[2]):
            if holds_credential(text):
                message = message.replace(text, "***")
    return scrub(message)


def _unforeseen(error: BaseException) -> int:
    module, line = _place(error)
    place = f"{module}:{line}" if module else "an unknown place"
    say(f"error: {type(error).__name__} at {place}; this is a fault of phimask or of a plugin")
    return 1


def _is_ours(error: click.ClickException) -> bool:
    """Whether it is about the command line. A plugin may raise such an error, too."""
    module, _ = _place(error)
    return is_own(module) or module.partition(".")[0] == "click"


def _place(error: BaseException) -> tuple[str, int]:
    """Module and line of the innermost frame."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return ("", 0) if trace is None else (str(trace.tb_frame.f_globals.get("__name__", "?")), trace.tb_lineno)
