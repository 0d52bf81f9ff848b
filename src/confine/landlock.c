/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Landlock, by its system calls: the C library has none for it, and the
 * headers that are installed may know less than the kernel that runs.
 */
#include "confine/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__linux__) && !defined(GLEAN_NO_CONFINEMENT)

#include <sys/syscall.h>

/* The same on every architecture (but Alpha, where the kernel answers ENOSYS). */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* The kernel's interface, Documentation/userspace-api/landlock.rst. */
enum {
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_REFER = 1 << 13,
	FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
	/* Those that can be granted for a file that is no folder. */
	FS_OF_FILES = (1 << 0) | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV,

	NET_BIND_TCP = 1 << 0,
	NET_CONNECT_TCP = 1 << 1,

	SCOPE_ABSTRACT_SOCKETS = 1 << 0,
	SCOPE_SIGNALS = 1 << 1,

	CREATE_VERSION = 1 << 0,
	RULE_PATH_BENEATH = 1,
	RULE_NET_PORT = 2,

	ABI_REFER = 2, /* files may be moved between folders */
	ABI_TRUNCATE = 3,
	ABI_PORTS = 4,
	ABI_IOCTL_DEV = 5,
	ABI_SCOPES = 6,
};

struct ruleset {
	uint64_t handled_fs, handled_net, scoped;
};

struct beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

struct port_rule {
	uint64_t allowed, port;
};

static uint64_t known_rights(int abi)
{
	uint64_t all = ((uint64_t)FS_REFER << 1) - 1;

	if (abi >= ABI_TRUNCATE)
		all |= FS_TRUNCATE;
	if (abi >= ABI_IOCTL_DEV)
		all |= FS_IOCTL_DEV;
	return all;
}

static uint64_t rights(enum reach reach)
{
	const uint64_t read = FS_READ_FILE | FS_READ_DIR;

	switch (reach) {
	case REACH_READ:
		return read;
	case REACH_DEVICE:
		return read | FS_WRITE_FILE;
	case REACH_STORE_READ:
		return read | FS_WRITE_FILE | FS_MAKE_REG | FS_TRUNCATE;
	case REACH_STORE_WRITE:
		return read | FS_WRITE_FILE | FS_MAKE_REG | FS_MAKE_DIR | FS_REMOVE_FILE | FS_REMOVE_DIR |
		       FS_REFER | FS_TRUNCATE;
	case REACH_MAKE_FOLDER:
		return FS_MAKE_DIR;
	}
	return 0;
}

static bool lack(char *lacking, size_t size)
{
	if (errno == ENOSYS || errno == EOPNOTSUPP)
		snprintf(lacking, size, "%s", _("this kernel has no Landlock, or it is not switched on"));
	else
		snprintf(lacking, size, _("Landlock: %s"), strerror(errno));
	return false;
}

bool glean_rules_begin(struct rules *rules, char *lacking, size_t size)
{
	struct ruleset set = { 0 };
	size_t set_size = sizeof set.handled_fs;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_VERSION);

	*rules = (struct rules){ .fd = -1 };
	if (abi < 0)
		return lack(lacking, size);
	if (abi < ABI_REFER) {
		snprintf(lacking, size, _("Landlock: version %ld of this kernel is too old"), abi);
		return false;
	}
	set.handled_fs = known_rights((int)abi);
	if (abi >= ABI_PORTS) {
		set.handled_net = NET_BIND_TCP | NET_CONNECT_TCP;
		set_size += sizeof set.handled_net;
		rules->ports = true;
	}
	if (abi >= ABI_SCOPES) {
		set.scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
		set_size += sizeof set.scoped;
	}
	rules->abi = (int)abi;
	rules->fd = (int)syscall(SYS_landlock_create_ruleset, &set, set_size, 0);
	return rules->fd < 0 ? lack(lacking, size) : true;
}

void glean_rules_path(struct rules *rules, const char *path, enum reach reach)
{
	int fd = glean_open_at(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
	struct beneath rule = { .allowed = rights(reach) & known_rights(rules->abi), .parent_fd = fd };
	struct stat st;

	if (fd < 0) {
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES && errno != ELOOP)
			rules->failed = errno;
		return;
	}
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed &= FS_OF_FILES;
	if (rule.allowed && syscall(SYS_landlock_add_rule, rules->fd, RULE_PATH_BENEATH, &rule, 0) < 0)
		rules->failed = errno;
	close(fd);
}

void glean_rules_port(struct rules *rules, unsigned port)
{
	const struct port_rule rule = { .allowed = NET_CONNECT_TCP, .port = port };

	if (rules->ports && syscall(SYS_landlock_add_rule, rules->fd, RULE_NET_PORT, &rule, 0) < 0)
		rules->failed = errno;
}

bool glean_rules_enforce(struct rules *rules, char *lacking, size_t size)
{
	bool ok = rules->failed == 0 && syscall(SYS_landlock_restrict_self, rules->fd, 0) == 0;

	if (rules->failed)
		errno = rules->failed;
	if (!ok)
		lack(lacking, size);
	close(rules->fd);
	rules->fd = -1;
	return ok;
}

#else

bool glean_rules_begin(struct rules *rules, char *lacking, size_t size)
{
	*rules = (struct rules){ .fd = -1 };
	snprintf(lacking, size, "%s", _("this build has no Landlock"));
	return false;
}

void glean_rules_path(struct rules *rules, const char *path, enum reach reach)
{
	(void)rules;
	(void)path;
	(void)reach;
}

void glean_rules_port(struct rules *rules, unsigned port)
{
	(void)rules;
	(void)port;
}

bool glean_rules_enforce(struct rules *rules, char *lacking, size_t size)
{
	return glean_rules_begin(rules, lacking, size);
}

#endif
