"""A real kernel for tests, driven as a front end drives it."""

from __future__ import annotations

import os
import queue
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

__all__ = ["LiveKernel", "Run"]

TIMEOUT = 120.0


@dataclass
class Run:
    """What one execution sent.

    Attributes:
        messages: The iopub messages, in order.
        reply: The content of the execute reply.
        outputs: The final MIME bundles by output, an updated one in its original place.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)

    def contents(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the contents of the messages of these types."""
        return [m["content"] for m in self.messages if m["msg_type"] in kinds]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """Return the final MIME bundles by output, an updated one in its original place."""
        shown: dict[str, dict[str, Any]] = {}
        for content in self.contents("display_data", "update_display_data", "execute_result"):
            display_id = content.get("transient", {}).get("display_id") or uuid.uuid4().hex
            shown[display_id] = content["data"]
        return list(shown.values())

    @property
    def html(self) -> str:
        """Return all HTML that is shown in the end."""
        return "\n".join(output.get("text/html", "") for output in self.outputs)

    @property
    def text(self) -> str:
        """Return all plain text that is shown in the end, streams first."""
        streams = "".join(content["text"] for content in self.contents("stream"))
        return streams + "\n".join(output.get("text/plain", "") for output in self.outputs)

    @property
    def error(self) -> str:
        """Return what the cell's error says, all lines of it."""
        return "\n".join("\n".join(c["traceback"]) for c in self.contents("error"))


class LiveKernel:
    """An ipykernel process of its own, in which cells run.

    Args:
        log: Where the process itself writes to, as opposed to its cells.
        python: The Python that runs it; this one by default.
        env: Environment variables besides those of this process.

    Attributes:
        heard: All iopub messages so far, whichever cell they are for.
    """

    def __init__(
        self, log: IO[bytes] | None = None, *, python: Path | None = None, **env: str
    ) -> None:
        self.manager = KernelManager(kernel_name="python3")
        if python is not None:
            self.manager.kernel_spec.argv[0] = str(python)
        streams = {} if log is None else {"stdout": log, "stderr": log}
        self.manager.start_kernel(env={**os.environ, **env}, **streams)
        self.client: BlockingKernelClient = self.manager.client()
        self.heard: list[dict[str, Any]] = []
        get_iopub_msg = self.client.get_iopub_msg

        def hear(*args: Any, **kwargs: Any) -> dict[str, Any]:
            self.heard.append(get_iopub_msg(*args, **kwargs))
            return self.heard[-1]

        self.client.get_iopub_msg = hear
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT)

    @property
    def pid(self) -> int:
        """Return the kernel's process id."""
        pid = self.manager.provisioner.pid
        assert pid is not None
        return int(pid)

    def run(
        self,
        code: str,
        *,
        cell_id: str | None = None,
        on_message: Callable[[dict[str, Any]], None] | None = None,
    ) -> Run:
        """Execute `code` and return all that it sent.

        Args:
            cell_id: The id that a front end puts into the request's metadata.
            on_message: Called with each iopub message of this execution as it arrives.
        """
        # After a cell that failed, older kernels abort what comes in the next moment.
        for _ in range(50):
            run = self._run(code, cell_id, on_message)
            if run.reply["status"] != "aborted":
                break
            time.sleep(0.1)
        return run

    def _run(
        self,
        code: str,
        cell_id: str | None,
        on_message: Callable[[dict[str, Any]], None] | None,
    ) -> Run:
        session = self.client.session
        content = {"code": code, "silent": False, "store_history": True, "stop_on_error": True}
        metadata = {"cellId": cell_id} if cell_id else {}
        message = session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        msg_id = message["header"]["msg_id"]
        run = Run()
        while True:
            received = self.client.get_iopub_msg(timeout=TIMEOUT)
            if received["parent_header"].get("msg_id") != msg_id:
                continue
            run.messages.append(received)
            if on_message is not None:
                on_message(received)
            if received["content"].get("execution_state") == "idle":
                break
        while True:
            reply = self.client.get_shell_msg(timeout=TIMEOUT)
            if reply["parent_header"].get("msg_id") == msg_id:
                run.reply = reply["content"]
                return run

    def copilot(self, prompt: str, options: str = "", **more: Any) -> Run:
        """Run a ``%%copilot`` cell."""
        return self.run(f"%%copilot {options}\n{prompt}", **more)

    def value(self, expression: str) -> str:
        """Return the ``repr`` of an expression in the kernel."""
        for _ in range(50):  # as in `run`
            reply = self._reply("", silent=True, user_expressions={"value": expression})
            if reply["status"] != "aborted":
                break
            time.sleep(0.1)
        value = reply["user_expressions"]["value"]
        assert value["status"] == "ok", value
        return str(value["data"]["text/plain"])

    def _reply(self, code: str, **content: Any) -> dict[str, Any]:
        """Execute `code` and return the reply; what it sends besides is heard later."""
        session = self.client.session
        message = session.msg("execute_request", {"code": code, **content})
        self.client.shell_channel.send(message)
        while True:
            reply = self.client.get_shell_msg(timeout=TIMEOUT)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return dict(reply["content"])

    def late(self, seconds: float = 0.5) -> list[dict[str, Any]]:
        """Return the iopub messages that arrive after everything is done."""
        messages = []
        while True:
            try:
                messages.append(self.client.get_iopub_msg(timeout=seconds))
            except queue.Empty:
                return messages

    def interrupt(self) -> None:
        """Interrupt the running cell, as the stop button does."""
        self.manager.interrupt_kernel()

    def close(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()
