/* SPDX-License-Identifier: BSD-2-Clause */
/* Where imported accounts are kept: one import at a time, files replaced as a whole. */
#include "accounts/accounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "accounts.d"
#define NAME "imported.conf"
#define NEW_NAME ".imported.conf.new"

static int fail_too_long(const char *path, struct glean_error *err)
{
	return glean_fail(err, GLEAN_E_CONFIG, _("%s: the path is too long"), path);
}

static int make_folder(struct place *place, struct glean_error *err)
{
	if (mkdir(place->folder, 0700) < 0 && errno != EEXIST)
		return glean_fail(err, GLEAN_E_CREATE, _("create %s: %s"), place->folder, strerror(errno));
	place->fd = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->fd < 0)
		return glean_fail(err, GLEAN_E_CREATE, _("open %s: %s"), place->folder, strerror(errno));
	if (flock(place->fd, LOCK_EX | LOCK_NB) < 0)
		return glean_fail(err, GLEAN_E_TEMP, _("%s: another import is running"), place->folder);
	return 0;
}

int glean_place_open(struct place *place, const char *config_path, bool dry_run, struct glean_error *err)
{
	const char *slash = strrchr(config_path, '/');
	int n = snprintf(place->folder, sizeof place->folder, "%.*s" FOLDER,
			 slash ? (int)(slash + 1 - config_path) : 0, config_path);
	int rc = 0;

	place->fd = -1;
	if (n < 0 || (size_t)n >= sizeof place->folder ||
	    snprintf(place->path, sizeof place->path, "%s/" NAME, place->folder) >= (int)sizeof place->path)
		return fail_too_long(config_path, err);
	if (!dry_run)
		rc = make_folder(place, err);
	if (rc < 0)
		glean_place_close(place);
	return rc;
}

void glean_place_close(struct place *place)
{
	if (place->fd >= 0)
		close(place->fd);
	place->fd = -1;
}

int glean_place_read(const struct place *place, struct glean_buf *text, struct glean_error *err)
{
	int rc = 0;

	if (access(place->path, F_OK) == 0)
		rc = glean_read_file(text, place->path, GLEAN_CONFIG_FILE_MAX, true, err);
	else if (errno != ENOENT)
		rc = glean_fail(err, GLEAN_E_CONFIG, _("read %s: %s"), place->path, strerror(errno));
	return rc < 0 ? rc : glean_buf_add(text, "", 0);
}

/* TEXT becomes NAME in the folder DIR_FD, as a whole or not at all. */
static int replace(int dir_fd, const char *name, const char *new_name, mode_t mode,
		   const struct glean_buf *text, struct glean_error *err)
{
	int fd, rc = 0;

	unlinkat(dir_fd, new_name, 0);
	fd = glean_open_at(dir_fd, new_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return glean_fail(err, GLEAN_E_CREATE, _("create %s: %s"), new_name, strerror(errno));
	if (fchmod(fd, mode) < 0 || glean_write_all(fd, text->data, text->size) < 0)
		rc = glean_fail_errno(err, _("write %s"), name);
	else if (glean_flush_fd(fd) < 0)
		rc = glean_fail_errno(err, _("flush %s"), name);
	if (close(fd) < 0 && rc == 0)
		rc = glean_fail_errno(err, _("close %s"), name);
	if (rc == 0 && renameat(dir_fd, new_name, dir_fd, name) < 0)
		rc = glean_fail_errno(err, _("rename %s"), name);
	if (rc < 0)
		unlinkat(dir_fd, new_name, 0);
	else if (glean_flush_fd(dir_fd) < 0)
		rc = glean_fail_errno(err, _("flush the folder of %s"), name);
	return rc;
}

int glean_place_write(const struct place *place, const struct glean_buf *text, struct glean_error *err)
{
	return replace(place->fd, NAME, NEW_NAME, 0600, text, err);
}

/* PATH behind its links, as folder and name. */
static int open_folder_of(const char *path, char real[PATH_MAX], char **name, struct glean_error *err)
{
	int fd;

	if (!realpath(path, real))
		return glean_fail_errno(err, _("look for %s"), path);
	*name = strrchr(real, '/') + 1;
	(*name)[-1] = '\0';
	fd = open(*real ? real : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? glean_fail_errno(err, _("open the folder of %s"), path) : fd;
}

static int add_line(const char *config_path, struct glean_error *err)
{
	struct glean_buf text = { 0 };
	char real[PATH_MAX], *name = NULL, new_name[NAME_MAX + 8];
	struct stat st;
	int dir_fd = open_folder_of(config_path, real, &name, err), rc;

	if (dir_fd < 0)
		return dir_fd;
	snprintf(new_name, sizeof new_name, ".%.200s.new", name);
	rc = glean_read_file(&text, config_path, GLEAN_CONFIG_FILE_MAX, false, err);
	if (rc == 0 && fstatat(dir_fd, name, &st, 0) < 0)
		rc = glean_fail_errno(err, _("look for %s"), config_path);
	/* Another user's file would become ours. */
	if (rc == 0 && st.st_uid != geteuid())
		rc = glean_fail(err, GLEAN_E_CREATE, _("%s belongs to another user"), config_path);
	if (rc == 0 &&
	    ((text.size > 0 && text.data[text.size - 1] != '\n' && glean_buf_add(&text, "\n", 1) < 0) ||
	     glean_buf_add(&text, INCLUDE_LINE "\n", sizeof INCLUDE_LINE) < 0))
		rc = glean_fail_memory(err);
	if (rc == 0)
		rc = replace(dir_fd, name, new_name, st.st_mode & 0777, &text, err);
	glean_buf_free(&text);
	close(dir_fd);
	return rc;
}

int glean_place_include(const char *config_path, struct glean_error *err)
{
	struct glean_error why = { 0 };
	int rc = add_line(config_path, &why);

	if (rc == 0)
		return 0;
	return glean_fail(
		err, rc,
		_("the accounts are written, but %s does not include them yet (%s): add the line %s"),
		config_path, why.text, INCLUDE_LINE);
}
