"""The type of a CPU, as far as it decides the bits of a training."""

import os
import platform
from pathlib import Path

# oneDNN chooses its kernels by these, the last that there is.
INSTRUCTIONS = ("sse4_1", "avx", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
# A user may forbid some of them: then the same machine gives the bits of another.
SETTINGS = ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")


def cpu_type() -> str:
    """Name the CPU, its widest instructions and the settings that hide some of them.

    Returns:
        Such as "Intel(R) Xeon(R) Processor, amx_bf16".
    """
    name, flags = platform.processor() or platform.machine(), set()
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
        elif key.strip() == "flags":
            flags = set(value.split())
    widest = [each for each in INSTRUCTIONS if each in flags][-1:]
    settings = [f"{key}={os.environ[key]}" for key in SETTINGS if os.environ.get(key)]
    return ", ".join([name, *widest, *settings])
