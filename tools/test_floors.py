# SPDX-License-Identifier: GPL-3.0-or-later
"""check-floors must find every way of breaking the floors, and nothing in a tree that keeps them."""

from __future__ import annotations

import pytest

from conftest import TOOLS, Plant, Tool

GOOD = {
    "floors.toml": (TOOLS.parent / "floors.toml").read_text(encoding="utf-8"),
    "lib/base/buf.h": "#include <stddef.h>\n",
    "lib/base/buf.c": '#include "buf.h"\n#include <sys/stat.h>\n',
    "lib/base/meson.build": "base = declare_dependency(link_with: static_library('base', 'buf.c'))\n",
    "lib/os/os.h": "#include <base/buf.h>\n",
    "lib/bus/bus.h": "#include <base/buf.h>\n",
    "lib/packet/packet.h": "#include <base/buf.h>\n",
    "lib/diagram/diagram.h": "#include <base/buf.h>\n",
    "lib/policy/policy.h": "#include <packet/packet.h>\n",
    "lib/policy/meson.build": "policy = declare_dependency(dependencies: [base, packet])\n",
    "lib/ruleset/ruleset.h": "#include <packet/packet.h>\n",
    "lib/guard/guard.h": "#include <os/os.h>\n",
    "lib/torctl/client.h": "#include <base/buf.h>\n",
    "lib/nf/nf.h": "#include <ruleset/ruleset.h>\n#include <libmnl/libmnl.h>\n",
    "lib/nf/test_help.h": "#include <cmocka.h>\n",
    "lib/nf/test_nf.c": '#include <cmocka.h>\n#include "nf.h"\n',
    "lib/proof/proof.h": "#include <diagram/diagram.h>\n#include <ruleset/ruleset.h>\n",
    "src/wall/wall.h": "#include <nf/nf.h>\n#include <policy/policy.h>\n",
    "src/watch/watch.h": "#include <policy/policy.h>\n",
    "tests/lab/probe.c": "#include <nf/nf.h>\n",
    "tests/common.h": "\n",
    "bench/run.c": "#include <policy/policy.h>\n",
    "tools/note.txt": "",
}

BAD = {
    "upward": ("lib/policy/policy.c", "#include <nf/nf.h>\n", "leads upward"),
    "sideways": ("lib/policy/policy.c", "#include <ruleset/ruleset.h>\n", "leads sideways"),
    "sideways programs": ("src/wall/main.c", "#include <watch/watch.h>\n", "leads sideways"),
    "library to program": ("lib/nf/nf.c", "#include <wall/wall.h>\n", "leads upward"),
    "into tests": ("lib/base/num.c", '#include "../../tests/common.h"\n', "write <room/file.h>"),
    "dots": ("lib/policy/policy.c", "#include <base/../nf/nf.h>\n", "write <room/file.h>"),
    "absolute": ("lib/policy/policy.c", '#include "/usr/include/stdio.h"\n', "write <room/file.h>"),
    "library in the wrong room": ("src/wall/main.c", "#include <libmnl/libmnl.h>\n", "libmnl"),
    "cmocka outside tests": ("lib/base/num.c", "#include <cmocka.h>\n", "cmocka"),
    "library without a door": ("lib/nf/nf.c", "#include <zlib.h>\n", "neither ours"),
    "quoted system header": ("lib/nf/nf.c", '#include "stdio.h"\n', "neither ours"),
    "macro": ("lib/nf/nf.c", "#define H <nf/nf.h>\n#include H\n", "must name its file"),
    "blanks": ("lib/policy/policy.c", "  #  include\t<nf/nf.h>\n", "leads upward"),
    "continued line": ("lib/policy/policy.c", "#include \\\n <nf/nf.h>\n", "leads upward"),
    "after a comment": ("lib/policy/policy.c", "/* a */ #include <nf/nf.h>\n", "leads upward"),
    "after a quote": ("lib/policy/policy.c", "char q = '\"';\n#include <nf/nf.h>\n", "leads upward"),
    "no room": ("lib/stray/stray.c", "#include <stddef.h>\n", "belongs to no room"),
    "meson upward": ("lib/policy/meson.build", "x = [base, nf]\n", "leads upward"),
    "meson sideways": ("lib/ruleset/meson.build", "x = [policy]\n", "leads sideways"),
    "meson library": ("lib/policy/meson.build", "d = [libmnl]\n", "libmnl"),
    "meson no room": ("lib/stray/meson.build", "x = 1\n", "belongs to no room"),
}


def test_a_tree_that_keeps_its_floors_is_clean(tool: Tool, plant: Plant) -> None:
    result = tool("check-floors", "--root", plant(GOOD))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("fault", BAD)
def test_a_planted_fault_is_found(tool: Tool, plant: Plant, fault: str) -> None:
    path, text, expected = BAD[fault]
    result = tool("check-floors", "--root", plant(GOOD | {path: text}))
    assert result.returncode == 1
    assert path in result.stdout and expected in result.stdout, result.stdout


@pytest.mark.parametrize("text", [
    "/* #include <nf/nf.h> */\n",
    "/*\n#include <nf/nf.h>\n*/\n",
    "// #include <nf/nf.h>\n",
    'const char *s = "/*"; /* " */\n#include <base/buf.h>\n',
])
def test_what_only_looks_like_a_fault_is_not_one(tool: Tool, plant: Plant, text: str) -> None:
    result = tool("check-floors", "--root", plant(GOOD | {"lib/policy/policy.c": text}))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("text", [
    "x = static_library('nf', 'nf.c')  # nf, libmnl\n",
    "x = executable('nf', install: true, nf: 1)\n",
])
def test_meson_strings_and_keywords_are_no_links(tool: Tool, plant: Plant, text: str) -> None:
    result = tool("check-floors", "--root", plant(GOOD | {"lib/policy/meson.build": text}))
    assert result.returncode == 0, result.stdout


def test_a_room_that_does_not_exist_is_a_fault(tool: Tool, plant: Plant) -> None:
    files = {path: text for path, text in GOOD.items() if not path.startswith("lib/os/")}
    result = tool("check-floors", "--root", plant(files))
    assert result.returncode == 1 and "lib/os does not exist" in result.stdout


def test_an_empty_tree_is_not_clean(tool: Tool, plant: Plant) -> None:
    result = tool("check-floors", "--root", plant({"floors.toml": GOOD["floors.toml"]}))
    assert result.returncode == 1


def test_print_goes_from_the_ground_up(tool: Tool, plant: Plant) -> None:
    result = tool("check-floors", "--root", plant(GOOD), "--print")
    assert result.returncode == 0
    rooms = [line.split()[1] for line in result.stdout.splitlines()]
    assert rooms == ["lib/base", "lib/diagram", "lib/os", "lib/packet", "lib/bus", "lib/guard",
                     "lib/policy", "lib/ruleset", "lib/torctl", "lib/nf", "lib/proof",
                     "src/wall", "src/watch", "bench", "tests", "tools"]
