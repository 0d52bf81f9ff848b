# SPDX-License-Identifier: BSD-2-Clause
"""
The program with a fault built in, to see that a sweep finds it: a copy of the source, in which one sentence of
PLANTED is made true. What is to be replaced must stand there exactly once: a fault that no longer fits the source is
itself an error.
"""
import shutil
import subprocess
import threading

from lib import paths

STORE = "src/store/"
# What is committed for the old side is only kept in mind, and done when the deletion has happened.
HELD_COMMIT = """\
struct glean_planted {
	struct glean_entry *entries;
	size_t count;
};

static struct glean_planted held;
int glean_planted_commit(struct glean_store *store, int64_t now_s);

static int hold(struct glean_entry *entries, size_t count, int64_t now_s, struct glean_receipt *receipts)
{
	held.entries = realloc(held.entries, (held.count + count) * sizeof *held.entries);
	memcpy(held.entries + held.count, entries, count * sizeof *entries);
	held.count += count;
	for (size_t i = 0; i < count; i++) {
		receipts[i] = (struct glean_receipt){ .index = entries[i].index,
						      .arrival = entries[i].arrival,
						      .stored_s = now_s,
						      .may_delete = true };
		entries[i].staged = NULL;
	}
	return 0;
}

int glean_planted_commit(struct glean_store *store, int64_t now_s)
{
	struct glean_planted now = held;
	struct glean_receipt *receipts = calloc(now.count + 1, sizeof *receipts);
	int rc;

	held = (struct glean_planted){ 0 };
	rc = glean_store_commit(store, 2, now.entries, now.count, now_s, receipts, NULL);
	free(now.entries);
	free(receipts);
	return rc;
}

"""

# Sentence: [(file, what stands there, what stands there instead)].
PLANTED = {
    # ---- the order of things ----
    "deletes before the commit": [
        (STORE + "commit.c", "int glean_store_commit(", HELD_COMMIT + "int glean_store_commit("),
        (STORE + "commit.c", "	if (count == 0)\n		return 0;\n	for (size_t i = 0; i < count && rc == 0; i++) {\n",
         "	if (count == 0)\n		return 0;\n	if (side == GLEAN_OLD)\n"
         "		return hold(entries, count, now_s, receipts);\n	side = side == 2 ? GLEAN_OLD : side;\n"
         "	for (size_t i = 0; i < count && rc == 0; i++) {\n"),
        (STORE + "deletion.c", '		" WHERE id = ?1 AND state = 1 AND gone_s IS NULL"\n'
         '		" AND EXISTS (SELECT 1 FROM message WHERE message.id = arrival.message AND published = 1)";',
         '		" WHERE id = ?1 AND gone_s IS NULL";'),
        (STORE + "deletion.c", "	return mark(store, sql, arrivals, count, now_s, err);\n}\n\n"
         "int glean_store_not_deleting(",
         "	int glean_planted_commit(struct glean_store *, int64_t);\n"
         "	int rc = glean_planted_commit(store, now_s);\n\n"
         "	return rc < 0 ? rc : mark(store, sql, arrivals, count, now_s, err);\n}\n\n"
         "int glean_store_not_deleting("),
    ],
    "marks as published before the rename": [
        (STORE + "merge.c", "?7, 0, ?8", "?7, 1, ?8"),
    ],
    "renames before the commit": [
        (STORE + "commit.c", "	rc = glean_ledger_end(store, rc, err);\n",
         "	int publish(struct glean_store *, const struct glean_entry *, const struct glean_outcome *, size_t,\n"
         "		    struct glean_error *);\n"
         "	if (rc == 0)\n		rc = publish(store, entries, outcomes, count, err);\n"
         "	rc = glean_ledger_end(store, rc, err);\n"),
        (STORE + "commit.c", "	if (rc == 0) {\n		rc = publish(store, entries, outcomes, count, err);\n",
         "	if (rc == 0) {\n"),
        (STORE + "commit.c", "static int publish(", "int publish("),
    ],
    "renamed before the flush": [
        (STORE + "commit.c", "		rc = flush_batch(store, entries, count, err);\n", "		rc = 0;\n"),
        (STORE + "commit.c", "		glean_ledger_unlock(store);\n	}\n",
         "		glean_ledger_unlock(store);\n		syncfs(store->new_fd);\n	}\n"),
    ],
    "a hook is on record as done before it is run": [
        ("src/sync/account.c", "	if (command)\n		rc = glean_run_command(",
         "	rc = glean_store_hook_done(account->store, hook->id, run_now(account->run), err);\n"
         "	if (command && rc == 0)\n		rc = glean_run_command("),
    ],
    # ---- what a crash leaves ----
    "recovery publishes nothing": [
        (STORE + "recover.c", "	if (rc == 0 && recovery.count > 0)\n", "	if (rc == 0 && recovery.count > 1000000)\n"),
    ],
    "staged files are not tidied away": [
        (STORE + "recover.c", "		if (glean_name_is_staged(name) &&",
         "		if (glean_name_is_staged(name) && i > 1000000 &&"),
    ],
    # ---- what a server says ----
    "a lost connection ends a message": [
        ("src/pop3/exchange.c", "	if (size < 0)\n		return (int)size;\n	while (rc == 0 && done",
         "	if (size < 0 && p->accepted && p->pop3->framer.octets > 0)\n		return handle_end(p, NULL);\n"
         "	if (size < 0)\n		return (int)size;\n	while (rc == 0 && done"),
    ],
    "no answer to QUIT is taken for a good one": [
        ("src/pop3/session.c", "	if (rc == 0 && !accepted) {\n		rc = glean_reply_status(pop3->framer.line,",
         "	accepted = accepted || rc == GLEAN_E_TEMP;\n	rc = rc == GLEAN_E_TEMP ? 0 : rc;\n"
         "	if (rc == 0 && !accepted) {\n		rc = glean_reply_status(pop3->framer.line,"),
    ],
    "a bad answer to QUIT is taken for a good one": [
        ("src/pop3/session.c", "	if (rc == 0 && !accepted) {\n		rc = glean_reply_status(pop3->framer.line,",
         "	if (rc == 1) {\n		rc = glean_reply_status(pop3->framer.line,"),
    ],
    "a size makes sure whatever stands around it": [
        ("src/sync/side.c", "		if (i != k && items[plan->fetch[i]].size_bytes ==",
         "		if (i == plan->n_fetch && items[0].size_bytes =="),
    ],
    "a line has no end": [
        ("src/pop3/framer.c", "	if (n > GLEAN_REPLY_MAX - framer->line_size)\n		return GLEAN_FRAME_TOO_LONG;\n",
         "	if (n > GLEAN_REPLY_MAX - framer->line_size)\n		return 0;\n"),
    ],
    "memory has no end": [
        ("src/pop3/framer.c", "	if (n > GLEAN_REPLY_MAX - framer->line_size)\n		return GLEAN_FRAME_TOO_LONG;\n",
         "	if (n > GLEAN_REPLY_MAX - framer->line_size) {\n		char *kept = malloc(2 * n);\n"
         "		memset(kept, *data, 2 * n);\n		return kept[n] == 1 ? GLEAN_FRAME_TOO_LONG : 0;\n	}\n"),
        ("src/pop3/framer.c", "#include <string.h>\n", "#include <stdlib.h>\n#include <string.h>\n"),
    ],
    "silence has no end": [
        ("src/net/io.c", "glean_net_ends(now_ms, conn->server->timeout_s)",
         "glean_net_ends(now_ms, conn->server->timeout_s + 3600)"),
    ],
    # ---- what a message holds ----
    "dots stay doubled": [
        ("src/pop3/framer.c", "		framer->state = c == '\\n' ? OVER : c == '\\r' ? DOT_CR : TEXT;\n",
         "		framer->state = c == '\\n' ? OVER : c == '\\r' ? DOT_CR : TEXT;\n"
         "		if (framer->state == TEXT)\n			emit(framer, \".\", 1);\n"),
    ],
    "a NUL ends the line": [
        ("src/pop3/framer.c", "	emit(framer, data, cr ? n - 1 : n);\n", "	emit(framer, data, strnlen(data, cr ? n - 1 : n));\n"),
    ],
    "names are shown as they came": [
        ("src/base/text.c", "		} else if (n == 0 || harmful(c)) {\n", "		} else if (n == 0 || (harmful(c) && c < 9)) {\n"),
    ],
    # ---- failures ----
    "a failed flush is tried again and believed": [
        (STORE + "commit.c", "	if (glean_flush_fd(fd) < 0)\n", "	if (glean_flush_fd(fd) < 0 && glean_flush_fd(fd) < 0)\n"),
    ],
    "a failed write is not noticed": [
        (STORE + "staged.c", "	if (rc == 0 && size && glean_write_all(staged->fd, data, size) < 0)\n",
         "	if (rc == 0 && size && glean_write_all(staged->fd, data, size) < -1)\n"),
    ],
    "what failed to be stored is deleted all the same": [
        (STORE + "commit.c", "	int rc = flush_all(store, entries, count, &failed);\n",
         "	int rc = flush_all(store, entries, count, &failed) * 0;\n"),
    ],
    "the name of the log is not flushed": [
        (STORE + "ledger.c", "	if (rc == 0 && glean_flush_fd(store->dir_fd) < 0)\n", "	if (rc == 0 && store->dir_fd < 0)\n"),
    ],
    # ---- the disk ----
    "no flush of the files": [
        (STORE + "commit.c", "	if (glean_flush_fd(fd) < 0)\n", "	if (fd < 0)\n"),
        (STORE + "commit.c", "		rc = syncfs(fd);\n", "		rc = 0;\n"),
    ],
    "the folder of new messages is not flushed": [
        (STORE + "commit.c", "	if (used[PLACE_MAILDIR] && glean_flush_fd(store->new_fd) < 0)\n",
         "	if (used[PLACE_MAILDIR] && store->new_fd < 0)\n"),
    ],
    "the folder of staged files is not flushed": [
        (STORE + "commit.c", "	if (rc == 0 && glean_flush_fd(store->tmp_fd) < 0)\n", "	if (rc == 0 && store->tmp_fd < 0)\n"),
    ],
    "the folders above are not flushed": [
        (STORE + "open.c", "	*slash = '/';\n	if (fd < 0)\n		return -1;\n	rc = glean_flush_fd(fd);\n",
         "	*slash = '/';\n	if (fd < 0)\n		return -1;\n	rc = 0;\n"),
    ],
    "the ledger is not flushed": [
        (STORE + "ledger.c", "PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF"),
    ],
}


class Workshop:
    """A private copy of the source with a build beside it. Of use to several threads; close() at the end."""

    def __init__(self):
        self.dir = paths.PrivateDir("planted")
        self.tree, self.build = self.dir.path / "tree", self.dir.path / "build"
        self.lock = threading.Lock()
        self.made = {}

    def _run(self, *words):
        result = subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        assert result.returncode == 0, f"{' '.join(map(str, words))}\n{result.stdout[-6000:]}"

    def _prepare(self):
        if (self.build / "build.ninja").exists():
            return
        shutil.rmtree(self.tree, ignore_errors=True)
        for folder in ("src", "include", "contrib"):
            shutil.copytree(paths.ROOT / folder, self.tree / folder)
        shutil.copy2(paths.ROOT / "meson.build", self.tree)
        (self.tree / "tests").mkdir()
        (self.tree / "tests" / "meson.build").touch()
        # Quick to build; the faults are none of speed.
        self._run("meson", "setup", "-Doptimization=0", "-Ddebug=false", self.build, self.tree)

    def _build(self, folder):
        """The program and its library, where the one looks for the other."""
        self._run("ninja", "-C", self.build, "src/cli/mailglean")
        (folder / "cli").mkdir(parents=True)
        shutil.copy2(self.build / "src" / "cli" / "mailglean", folder / "cli")
        for library in (self.build / "src").glob("libmailglean.so*"):
            if library.is_file():
                shutil.copy2(library, folder, follow_symlinks=False)
        return folder / "cli" / "mailglean"

    def program(self, fault):
        """The path of a program with FAULT, a key of PLANTED; built when it is first asked for."""
        with self.lock:
            if fault not in self.made:
                self._prepare()
                kept = {}
                for name, old, new in PLANTED[fault]:
                    text = (self.tree / name).read_text()
                    kept.setdefault(name, text)
                    assert text.count(old) == 1, f"{fault}: {text.count(old)} times in {name}:\n{old}"
                    (self.tree / name).write_text(text.replace(old, new))
                try:
                    self.made[fault] = self._build(self.dir.path / f"fault-{len(self.made)}")
                finally:
                    for name, text in kept.items():
                        (self.tree / name).write_text(text)
            return self.made[fault]

    def close(self):
        self.dir.remove()
