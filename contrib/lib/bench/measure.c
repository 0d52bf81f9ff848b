/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * measure FILE COMMAND…: run COMMAND and write "wall user sys peak_kb code" into FILE.
 *
 * Descendants that were waited for count; the peak is that of the largest one. A small program does this
 * because the peak of a child begins at its parent's: a Python parent would hide small clients.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct timespec begin, end;
	struct rusage used;
	int status, fd;
	pid_t pid;

	if (argc < 3)
		return 64;
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) {
		perror(argv[1]);
		return 73;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &used) < 0) {
		perror("measure");
		return 71;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	dprintf(fd, "%.6f %.6f %.6f %ld %d\n",
		(double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9,
		seconds(used.ru_utime), seconds(used.ru_stime), used.ru_maxrss,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
