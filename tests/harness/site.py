"""Replicas of the app behind a real nginx, with the very configuration of deploy/."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.server import APP, ROOT, Server, free_port
from tests.harness.student import Student

CONFIGURATION = ROOT / "deploy" / "nginx.conf"
# Debian has it where only root looks for commands.
# The variable NGINX names another program. Debian's is not on the PATH of everybody.
NGINX = shutil.which(os.environ.get("NGINX", "nginx"), path=f"{os.environ['PATH']}:/usr/sbin")
SECRET = {"STREAMLIT_SERVER_COOKIE_SECRET": "only for these tests"}


class Site:
    """What students reach at `url`. Replicas are known by their address, as in "127.0.0.1:8501".

    Each answer of nginx says in X-Replica who it asked.
    """

    def __init__(self, replicas: int) -> None:
        with ExitStack() as opened:
            # nginx's workers, who are nobody, must get in.
            self._folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            self._folder.chmod(0o755)
            self.replicas: dict[str, Server] = {}
            opened.callback(self._stop_replicas)
            with ThreadPoolExecutor(replicas) as pool:
                list(pool.map(lambda _: self.start(), range(replicas)))

            (self._folder / "nginx.conf").symlink_to(CONFIGURATION)
            self._port = free_port()
            self.url = f"http://127.0.0.1:{self._port}"
            self._generation = 0
            self._write(down=())
            assert NGINX is not None
            command = [NGINX, "-p", f"{self._folder}/", "-c", f"{self._folder}/nginx.conf"]
            self._log = self._folder / "error.log"
            with self._log.open("wb") as log:
                self._nginx = subprocess.Popen([*command, "-g", "daemon off;"], stderr=log)
            opened.callback(self._stop_nginx)
            self._wait_for_generation()
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()

    def start(self) -> str:
        """Starts one more replica, which nginx hears of at the next `reload`.

        It is warm: it has shown a page, and read what the first visit takes a second or two for.
        """
        server = Server(APP, env=SECRET)
        address = f"127.0.0.1:{server.port}"
        self.replicas[address] = server
        with Student(server.url) as visitor:
            visitor.open("/filter_explorer")
        return address

    def kill(self, address: str) -> None:
        """A replica's process ends without a word, with SIGKILL."""
        server = self.replicas.pop(address)
        os.kill(server._process.pid, signal.SIGKILL)
        server.stop()

    def stop(self, address: str) -> None:
        """A replica is stopped in good order, with SIGTERM."""
        self.replicas.pop(address).stop()

    def reload(self, *, down: Collection[str] = ()) -> None:
        """nginx reads its configuration again, with the replicas that run now."""
        self._write(down=down)
        self._nginx.send_signal(signal.SIGHUP)
        self._wait_for_generation()

    def log(self) -> str:
        """What nginx complained of."""
        return self._log.read_text()

    def _write(self, *, down: Collection[str]) -> None:
        self._generation += 1
        (self._folder / "upstreams.conf").write_text(
            "".join(
                f"server {address} max_fails=1 fail_timeout=2s{' down' * (address in down)};\n"
                for address in self.replicas
            )
        )
        (self._folder / "listen.conf").write_text(
            f"listen 127.0.0.1:{self._port};\n"
            "add_header X-Replica $upstream_addr always;\n"
            f"add_header X-Generation {self._generation} always;\n"
        )

    def _wait_for_generation(self) -> None:
        """Waits until new connections meet the configuration last written."""
        deadline = time.monotonic() + 10
        while (answered := self._generation_or_problem()) != str(self._generation):
            assert self._nginx.poll() is None, self.log()
            assert time.monotonic() < deadline, f"{answered}\n{self.log()}"
            time.sleep(0.02)

    def _generation_or_problem(self) -> str:
        """Which configuration answers, or why none does."""
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1) as answer:
                return str(answer.headers["X-Generation"])
        except OSError as error:
            return repr(error)

    def _stop_replicas(self) -> None:
        for server in self.replicas.values():
            server.stop()

    def _stop_nginx(self) -> None:
        self._nginx.terminate()
        self._nginx.wait(10)
