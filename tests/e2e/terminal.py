#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a terminal of its own and acts on it.

Usage: terminal.py COLUMNSxROWS [ACTION...] -- COMMAND...
An ACTION is key:TEXT, signal:NAME or size:COLUMNSxROWS. Each waits until two more frames have been drawn (ESC [ H).
What the command wrote goes to the file "screen". Standard output gets a line of JSON: how it ended (status as the
shell has it), the frames' widths and heights without control sequences, and whether the terminal was left as found.
"""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

HOME = b"\x1b[H"
LIMIT_S = 120


def resize(fd, text):
    columns, rows = map(int, text.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def act(action, fd, pid):
    kind, _, text = action.partition(":")
    if kind == "key":
        os.write(fd, text.encode())
    elif kind == "signal":
        os.kill(pid, getattr(signal, f"SIG{text}"))
    else:
        resize(fd, text)


def frames_of(output):
    """[(longest line, lines)] of what was drawn on the other screen, and the text that stayed behind."""
    drawn, _, rest = output.partition(b"\x1b[?1049l")
    plain = [re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", frame).replace(b"\r", b"").split(b"\n") for frame in drawn.split(HOME)[2:]]
    return [(max(map(len, lines)), len(lines)) for lines in plain], rest


def main():
    cut = sys.argv.index("--")
    size, actions, command = sys.argv[1], sys.argv[2:cut], sys.argv[cut + 1:]
    controller, terminal = pty.openpty()
    resize(terminal, size)
    before = termios.tcgetattr(terminal)
    pid = os.fork()
    if pid == 0:
        take(terminal)
        os.execv(command[0], command)
    output, wanted, end, status = b"", 3, time.monotonic() + LIMIT_S, None
    while status is None and time.monotonic() < end:
        if select.select([controller], [], [], 0.05)[0]:
            output += os.read(controller, 65536)
        else:
            done, code = os.waitpid(pid, os.WNOHANG)
            status = code if done else None
        if actions and output.count(HOME) >= wanted:
            act(actions.pop(0), controller, pid)
            wanted = output.count(HOME) + 2
    if status is None:
        os.kill(pid, signal.SIGKILL)
        sys.exit("it did not end in time")
    frames, rest = frames_of(output)
    with open("screen", "wb") as file:
        file.write(output)
    print(json.dumps({
        "status": os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status),
        "frames": frames,
        "restored": termios.tcgetattr(terminal) == before and b"\x1b[?25h" in output and b"\x1b[?1049l" in output,
        "rest": rest.decode(errors="replace"),
    }))


def take(terminal):
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(terminal, fd)


if __name__ == "__main__":
    main()
