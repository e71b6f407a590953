"""Ctrl-C after engines were opened and closed in different threads."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import faulthandler, gc, os, signal, threading
faulthandler.enable()
from engines.runtime.openvino.cpu_engine import OpenVinoEngine
from engines.style_lookup import load_style
engines = [OpenVinoEngine(load_style("lips-glaze"))]
def close():
    engines.pop().close()
    gc.collect()
closing = threading.Thread(target=close)
closing.start()
closing.join()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("stopped in order", flush=True)
os._exit(0)
"""


def test_ctrl_c_works_after_another_thread_closed_the_engine() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "stopped in order\n"), done.stderr[-2000:]
