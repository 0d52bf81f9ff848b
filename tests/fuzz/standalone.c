/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs a fuzz target over the files and folders that are named, once each: the corpus as a plain test. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *read_all(FILE *file, size_t *size)
{
	char *data = NULL, block[4096];
	size_t n;

	*size = 0;
	while ((n = fread(block, 1, sizeof block, file)) > 0) {
		data = realloc(data, *size + n);
		CHECK(data);
		memcpy(data + *size, block, n);
		*size += n;
	}
	CHECK(!ferror(file));
	return data;
}

/* Inputs run, -1: PATH cannot be read. */
static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *data;
	size_t size;

	if (!file) {
		perror(path);
		return -1;
	}
	data = read_all(file, &size);
	fclose(file);
	/* Told beforehand: what fails ends the program. */
	printf("%s, %zu octets\n", path, size);
	fflush(stdout);
	/* Never NULL, and not an octet longer than the input: what is read behind it is found. */
	if (size == 0)
		data = calloc(1, 1);
	CHECK(data);
	LLVMFuzzerTestOneInput((const uint8_t *)data, size);
	free(data);
	return 1;
}

static int run(const char *path);

static int run_folder(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort), ran = 0;

	if (n < 0)
		perror(path);
	for (int i = 0; i < n; i++) {
		char *name;

		if (entries[i]->d_name[0] != '.' && ran >= 0) {
			int more;

			CHECK(asprintf(&name, "%s/%s", path, entries[i]->d_name) > 0);
			more = run(name);
			ran = more < 0 ? -1 : ran + more;
			free(name);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return n < 0 ? -1 : ran;
}

static int run(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? run_folder(path) : run_file(path);
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int ran = run(argv[i]);

		if (ran < 0)
			return 1;
		total += ran;
	}
	printf("%d inputs\n", total);
	return total > 0 ? 0 : 1;
}
