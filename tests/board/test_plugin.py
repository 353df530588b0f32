"""count.c tells instructions apart, compiled without QEMU."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from shutil import which

import pytest

from tests.board.counts import KINDS

SOURCE = Path(__file__).with_name("count.c")
# As an assembler encodes them.
INSTRUCTIONS = {
    0x0E22C020: ("smull v0.8h, v1.8b, v2.8b", "multiplies"),
    0x4E228020: ("smlal2 v0.8h, v1.16b, v2.16b", "multiplies"),
    0x2F822020: ("umlal v0.2d, v1.2s, v2.s[0]", "multiplies"),
    0x4E229C20: ("mul v0.16b, v1.16b, v2.16b", "multiplies"),
    0x4E629420: ("mla v0.8h, v1.8h, v2.8h", "multiplies"),
    0x2EA2B420: ("sqrdmulh v0.2s, v1.2s, v2.2s", "multiplies"),
    0x4E829420: ("sdot v0.4s, v1.16b, v2.16b", "dot products"),
    0x4F82E020: ("sdot v0.4s, v1.16b, v2.4b[0]", "dot products"),
    0x6E829420: ("udot v0.4s, v1.16b, v2.16b", "dot products"),
    0x4E22CC20: ("fmla v0.4s, v1.4s, v2.4s", "float multiplies"),
    0x4F821020: ("fmla v0.4s, v1.4s, v2.s[0]", "float multiplies"),
    0x6E22DC20: ("fmul v0.4s, v1.4s, v2.4s", "float multiplies"),
    0x1F020C20: ("fmadd s0, s1, s2, s3", "float multiplies"),
    0x4E606820: ("sadalp v0.4s, v1.8h", "other SIMD"),
    0x4E22D420: ("fadd v0.4s, v1.4s, v2.4s", "other SIMD"),
    0x4F008400: ("movi v0.8h, #0", "other SIMD"),
    0x4E040C20: ("dup v0.4s, w1", "other SIMD"),
    0x3DC00020: ("ldr q0, [x1]", "loads and stores"),
    0x4CDF7020: ("ld1 {v0.16b}, [x1], #16", "loads and stores"),
    0xA9BF7BFD: ("stp x29, x30, [sp, #-16]!", "loads and stores"),
    0x54000041: ("b.ne #8", "branches"),
    0xD65F03C0: ("ret", "branches"),
    0xD4000001: ("svc #0", "branches"),
    0x8B020020: ("add x0, x1, x2", "other"),
    0x9B020C20: ("madd x0, x1, x2, x3", "other"),
    0xD503201F: ("nop", "branches"),
}


@pytest.mark.skipif(not which("gcc"), reason="gcc is not installed")
def test_instructions_are_told_apart(tmp_path: Path) -> None:
    names = re.findall(r"extern [^(]*?(qemu_plugin_\w+)\(", SOURCE.read_text(encoding="utf-8"))
    stubs = "".join(f'__asm__(".globl {name}\\n{name}:");\n' for name in names)
    program = tmp_path / "kinds.c"
    program.write_text(
        f'#include "{SOURCE}"\n{stubs}int main(int argc, char **argv) {{\n'
        '    for (int i = 1; i < argc; i++) printf("%d\\n", kind_of(strtoul(argv[i], NULL, 16)));\n}\n'
    )
    subprocess.run(["gcc", "-w", "-o", tmp_path / "kinds", program], check=True)
    words = [f"{word:x}" for word in INSTRUCTIONS]
    answer = subprocess.run(
        [tmp_path / "kinds", *words], check=True, capture_output=True, text=True
    )
    found = [KINDS[int(number)] for number in answer.stdout.split()]
    expected = [kind for _, kind in INSTRUCTIONS.values()]
    mnemonics = [mnemonic for mnemonic, _ in INSTRUCTIONS.values()]
    assert dict(zip(mnemonics, found, strict=True)) == dict(zip(mnemonics, expected, strict=True))
