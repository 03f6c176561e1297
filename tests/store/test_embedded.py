from __future__ import annotations

import importlib.machinery
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from phimask.errors import StoreError, UsageError
from phimask.store import embedded
from phimask.store.embedded import EmbeddedMongod, find_mongod

OWNER = """
import os, signal, sys
from phimask.store.embedded import EmbeddedMongod, find_mongod
signal.signal(signal.SIGINT, signal.default_int_handler)  # which whoever runs in the background does not have
with EmbeddedMongod(find_mongod(os.environ)) as server:
    print(server.uri, server._directory, flush=True)
    sys.stdin.read()
"""

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="a script is no executable there")


@pytest.fixture
def mongod() -> Path:
    return find_mongod(os.environ)


def port_of(uri: str) -> int:
    return int(uri.split(":")[2].partition("/")[0])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until_gone(port: int, directory: Path) -> bool:
    for _ in range(300):
        if not answers(port) and not directory.exists():
            return True
        time.sleep(0.1)
    return False


def executable(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


class TestFindMongod:
    @pytest.fixture(autouse=True)
    def nothing_bundled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    def test_the_variable_comes_first(self, tmp_path: Path) -> None:
        named = executable(tmp_path / "named", "")
        (tmp_path / "bin").mkdir()
        executable(tmp_path / "bin" / "mongod", "")
        environ = {"PHIMASK_MONGOD": str(named), "PATH": str(tmp_path / "bin")}
        assert find_mongod(environ) == named

    def test_a_variable_that_names_no_file_is_an_error_and_not_passed_over(self, tmp_path: Path) -> None:
        executable(tmp_path / "mongod", "")
        environ = {"PHIMASK_MONGOD": str(tmp_path / "absent"), "PATH": str(tmp_path)}
        with pytest.raises(UsageError, match=r"PHIMASK_MONGOD is .*absent, which is no file"):
            find_mongod(environ)

    @posix_only
    @pytest.mark.parametrize("variable", [{}, {"PHIMASK_MONGOD": ""}])
    def test_then_path(self, tmp_path: Path, variable: dict[str, str]) -> None:
        on_path = executable(tmp_path / "mongod", "")
        assert find_mongod({"PATH": str(tmp_path), **variable}) == on_path

    def test_then_the_wheel_without_importing_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = tmp_path / "fiftyone"
        binary = package / "db" / "bin" / ("mongod.exe" if sys.platform == "win32" else "mongod")
        binary.parent.mkdir(parents=True)
        binary.write_bytes(b"")
        (package / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
        monkeypatch.setattr(
            "importlib.util.find_spec",
            lambda name: importlib.machinery.PathFinder.find_spec(name, [str(tmp_path)]),
        )
        assert find_mongod({"PATH": ""}) == binary

    def test_a_wheel_without_a_binary_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "fiftyone").mkdir()
        monkeypatch.setattr(
            "importlib.util.find_spec",
            lambda name: importlib.machinery.PathFinder.find_spec(name, [str(tmp_path)]),
        )
        with pytest.raises(UsageError, match="no mongod found"):
            find_mongod({"PATH": ""})

    @pytest.mark.parametrize(
        ("system", "machine", "advice"),
        [
            ("Linux", "x86_64", r"pip install 'phimask\[embedded\]'"),
            ("Linux", "aarch64", "from your distribution"),
            ("Darwin", "arm64", "brew"),
            ("Windows", "AMD64", "winget install MongoDB.Server"),
            ("FreeBSD", "amd64", "put mongod on PATH"),
        ],
    )
    def test_none_at_all_says_how_to_get_one(
        self, monkeypatch: pytest.MonkeyPatch, system: str, machine: str, advice: str
    ) -> None:
        monkeypatch.setattr(platform, "system", lambda: system)
        monkeypatch.setattr(platform, "machine", lambda: machine)
        with pytest.raises(UsageError, match=f"{advice}.*PHIMASK_MONGOD") as caught:
            find_mongod({"PATH": ""})
        assert caught.value.exit_code == 2


class TestEmbeddedMongod:
    def test_a_writable_primary_inside_and_nothing_after(self, mongod: Path) -> None:
        with EmbeddedMongod(mongod, ["--setParameter", "enableTestCommands=1"]) as server:
            directory = server._directory
            assert directory is not None
            with MongoClient(server.uri) as client:
                collection = client["a"].get_collection("b", write_concern=WriteConcern("majority"))
                collection.insert_one({"_id": 1})
                hello = client.admin.command("hello")
                started_with = client.admin.command("getCmdLineOpts")["parsed"]
                test_commands = client.admin.command("getParameter", 1, enableTestCommands=1)
            assert hello["isWritablePrimary"]
            assert hello["hosts"] == [f"127.0.0.1:{port_of(server.uri)}"]
            assert started_with["net"]["bindIp"] == "127.0.0.1"
            assert Path(started_with["storage"]["dbPath"]).is_relative_to(directory)
            assert test_commands["enableTestCommands"]
        assert not answers(port_of(server.uri))
        assert not directory.exists()

    def test_an_exception_inside_ends_it_too(self, mongod: Path) -> None:
        directory = None

        def fail(server: EmbeddedMongod) -> None:
            nonlocal directory
            directory = server._directory
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError), EmbeddedMongod(mongod) as server:
            fail(server)
        assert directory is not None
        assert not answers(port_of(server.uri))
        assert not directory.exists()

    def test_a_port_that_somebody_else_took_is_left_to_them(
        self, mongod: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        free_port = embedded._free_port
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = other.getsockname()[1]
            ports = iter([taken])
            monkeypatch.setattr(embedded, "_free_port", lambda: next(ports, None) or free_port())
            with EmbeddedMongod(mongod) as server, MongoClient(server.uri) as client:
                assert port_of(server.uri) != taken
                assert client.admin.command("ping")["ok"]

    @pytest.mark.parametrize("how", ["killed", "stopped", "interrupted"])
    def test_it_never_outlives_its_owner(self, how: str) -> None:
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with owner:
            assert owner.stdout is not None
            uri, directory = owner.stdout.readline().split(maxsplit=1)
            assert answers(port_of(uri))
            if how == "killed":
                owner.kill()
            elif how == "stopped":
                owner.terminate()
            elif sys.platform == "win32":
                owner.kill()
            else:
                owner.send_signal(signal.SIGINT)
            owner.wait(180)  # a server ends in its own time
        assert wait_until_gone(port_of(uri), Path(directory.strip()))

    @posix_only
    def test_the_terminals_interrupt_does_not_reach_the_server(self, mongod: Path) -> None:
        with EmbeddedMongod(mongod) as server:
            assert server._process is not None
            assert os.getpgid(server._process.pid) != os.getpgrp()


class TestServerThatDoesNotStart:
    def test_the_exit_code_and_what_it_said_are_told_and_nothing_is_left(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with pytest.raises(StoreError, match="exit code 2") as caught, EmbeddedMongod(Path(sys.executable)):
            pass
        assert "--dbpath" in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    def test_an_option_the_server_does_not_know(self, mongod: Path) -> None:
        with (
            pytest.raises(StoreError, match=r"(?s)exit code 2.*no-such-option"),
            EmbeddedMongod(mongod, ["--no-such-option"]),
        ):
            pass

    @posix_only
    def test_a_missing_library_says_what_to_install(self, tmp_path: Path) -> None:
        text = "#!/bin/sh\necho 'mongod: error while loading shared libraries: libcurl.so.4' >&2; exit 127\n"
        binary = executable(tmp_path / "mongod", text)
        with (
            pytest.raises(StoreError, match=r"(?s)127.*libcurl\.so\.4.*install the missing library"),
            EmbeddedMongod(binary),
        ):
            pass

    @posix_only
    def test_a_file_that_is_no_program(self, tmp_path: Path) -> None:
        binary = executable(tmp_path / "mongod", "\x7fnonsense")
        with pytest.raises(StoreError, match="cannot start"), EmbeddedMongod(binary):
            pass

    @posix_only
    def test_a_server_killed_at_its_start(self, tmp_path: Path) -> None:
        binary = executable(tmp_path / "mongod", "#!/bin/sh\nkill -9 $$\n")
        with pytest.raises(StoreError, match="exit code 137"), EmbeddedMongod(binary):
            pass

    @posix_only
    def test_a_server_that_never_listens_is_given_up_and_ended(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        marker = tmp_path / "pid"
        binary = executable(tmp_path / "mongod", f"#!/bin/sh\necho $$ > {marker}\nexec sleep 600\n")
        monkeypatch.setattr(embedded, "_START_SECONDS", 1.0)
        with pytest.raises(StoreError, match="does not listen"), EmbeddedMongod(binary):
            pass
        with pytest.raises(ProcessLookupError):
            os.kill(int(marker.read_text()), 0)

    @posix_only
    def test_keys_and_connection_strings_stay_out_of_its_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PHIMASK_KEY", "canary")
        monkeypatch.setenv("OTHER_NAME", "passed on")
        binary = executable(tmp_path / "mongod", "#!/bin/sh\nenv | grep -E 'PHIMASK|OTHER_NAME'; exit 3\n")
        with pytest.raises(StoreError, match="passed on") as caught, EmbeddedMongod(binary):
            pass
        assert "canary" not in str(caught.value)


@posix_only
class TestExecutableBit:
    TEXT = "#!/bin/sh\necho it runs; exit 9\n"

    @pytest.fixture
    def plain(self, tmp_path: Path) -> Path:
        path = tmp_path / "mongod"
        path.write_text(self.TEXT, encoding="utf-8")
        path.chmod(0o644)
        return path

    def test_is_set_where_an_installer_lost_it(self, plain: Path) -> None:
        with pytest.raises(StoreError, match=r"(?s)exit code 9.*it runs"), EmbeddedMongod(plain):
            pass
        assert plain.stat().st_mode & 0o111

    def test_a_copy_runs_where_the_file_is_not_ours(
        self, plain: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chmod = Path.chmod

        def refused(path: Path, mode: int) -> None:
            if path == plain:
                raise PermissionError
            chmod(path, mode)

        monkeypatch.setattr(Path, "chmod", refused)
        with pytest.raises(StoreError, match=r"(?s)exit code 9.*it runs"), EmbeddedMongod(plain):
            pass
        assert not plain.stat().st_mode & 0o111


def test_a_directory_whose_files_are_freed_late_is_removed_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    refusals = iter([True, True])
    rmtree = shutil.rmtree

    def stubborn(path: Path, *, ignore_errors: bool) -> None:
        if not next(refusals, False):
            rmtree(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", stubborn)
    embedded.lifeline.remove_directory(directory)
    assert not directory.exists()
