# SPDX-License-Identifier: BSD-2-Clause
"""The house: headers, exported names, builds without a warning, nothing in the tree that does not belong there."""
import os
import re
import shutil
import subprocess

import pytest

from conftest import builds
from lib.messages import message
from lib.paths import ROOT

HEADERS = sorted((ROOT / "include" / "mailglean").glob("*.h"))
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", f"-I{ROOT / 'include'}"]
# A build of its own, in which a warning is an error: compiler and options.
STERN = {
    "build-clang": ("clang", []),
    "build-release": ("gcc", ["-Dbuildtype=release"]),
}


def tracked():
    """The files that belong to the tree."""
    if shutil.which("git"):
        listed = subprocess.run(["git", "-C", ROOT, "-c", f"safe.directory={ROOT}", "ls-files", "-co",
                                 "--exclude-standard"], capture_output=True, text=True)
        if listed.returncode == 0:
            return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file()
            and not re.match(r"build|\.git$", path.relative_to(ROOT).parts[0])]


@pytest.mark.parametrize("compiler", ["gcc -std=c11 -xc", "clang -std=c11 -xc", "g++ -std=c++11 -xc++",
                                      "clang++ -std=c++11 -xc++"])
@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
def test_public_header_compiles_alone(header, compiler, tmp_path):
    words = compiler.split()
    if not shutil.which(words[0]):
        pytest.skip(f"{words[0]} is not there")
    source = tmp_path / "one"
    source.write_text(f"#include <mailglean/{header.name}>\n#include <mailglean/{header.name}>\nint main(void);\n")
    done = subprocess.run([*words, *STRICT, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def declared():
    text = "\n".join(path.read_text() for path in HEADERS)
    return {name for line in re.findall(r"^GLEAN_API\b[^;]*;", text, re.M)
            for name in re.findall(r"\b(glean_\w+)\s*\(", line)[:1]}


def test_exported_symbols_are_those_of_the_headers(build):
    library = build / "src" / "libmailglean.so"
    listed = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True)
    exported = {line.split()[-1] for line in listed.stdout.splitlines()}
    assert exported == declared()


def test_the_command_uses_public_headers_only():
    for path in (ROOT / "src" / "cli").glob("*.[ch]"):
        for name in re.findall(r'^#include [<"]([^>"]+)[>"]', path.read_text(), re.M):
            inner = "/" in name and not name.startswith(("mailglean/", "sys/", "cli/"))
            assert not inner or not (ROOT / "src" / name).exists(), f"{path.name} includes {name}"


@pytest.mark.parametrize("folder", STERN)
def test_builds_without_a_warning(folder, pytestconfig):
    if ROOT / folder not in builds(pytestconfig):
        pytest.skip("a quick run")
    compiler, options = STERN[folder]
    path = ROOT / folder
    again = ["--reconfigure"] if (path / "build.ninja").exists() else []
    for command in (["meson", "setup", *again, path, ROOT, "--werror", *options], ["ninja", "-C", path]):
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "CC": compiler})
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-8000:]


def test_no_path_of_a_machine_is_in_the_tree():
    wrong = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
            if re.search(r"(?<![\w.~$}-])/(home/(?!taro)|root/|Users/|work/|workspace/|tmp/build-)\w", line):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


def test_files_are_of_a_size_that_can_be_read():
    for path in [*(ROOT / "src").rglob("*.[ch]"), *HEADERS]:
        lines = path.read_text().splitlines()
        assert len(lines) <= 600, f"{path.relative_to(ROOT)} has {len(lines)} lines"
        assert "SPDX-License-Identifier: BSD-2-Clause" in lines[0], path.relative_to(ROOT)


EXAMPLE = ROOT / "contrib" / "examples" / "collect.c"


def test_example_collects_both_mailboxes(build, pair, mailglean, tmp_path):
    assert len(EXAMPLE.read_text().splitlines()) <= 80
    program = tmp_path / "collect"
    done = subprocess.run(["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{ROOT / 'include'}",
                           EXAMPLE, "-o", program, f"-L{build / 'src'}", "-lmailglean",
                           f"-Wl,-rpath,{build / 'src'}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pair.old.deliver(message("a"))
    pair.new.deliver(message("b"))
    pair.deliver_both("c")
    done = subprocess.run([program, mailglean.config_file], capture_output=True, text=True,
                          env=mailglean.environment(), timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(mailglean.stored()) == 3 and {message("a"), message("b")} < set(mailglean.stored())
