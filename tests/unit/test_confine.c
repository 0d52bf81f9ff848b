/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper for commands, which must do all that direct commands do; and what a confined process may still do. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mailglean/confine.h>

#include "base/helper.h"
#include "config/config.h"

#define HOOK true
#define SECRET false

/* That of the process that looks, which is the command's. */
#define PROCESS_GROUP "cut -d ' ' -f 5 /proc/self/stat"

/* Sorted, as a helper wants them. */
static const struct glean_helper_command known[] = {
	{ "cat >/dev/null; exec sleep 1000", HOOK },
	{ PROCESS_GROUP, SECRET },
	{ PROCESS_GROUP, HOOK },
	{ "echo $PPID", SECRET },
	{ "echo secret; exit 3", SECRET },
	{ "exec 1>&-; exit 5", SECRET },
	{ "exec sleep 1000", SECRET },
	{ "exit 0", HOOK },
	{ "kill -9 $$", SECRET },
	{ "ls /proc/self/fd", SECRET },
	{ "sleep 1000 & echo $! >\"$GLEAN_TEST_FILE\"; wait", HOOK },
	{ "tr a-z A-Z", HOOK },
	{ "tr a-z b-za", HOOK },
	{ "yes", SECRET },
};

static bool forgot_in_here;

static void forget(void *user)
{
	*(bool *)user = true;
}

static struct glean_helper *start(void)
{
	struct glean_helper *helper;
	struct glean_error err;

	for (size_t i = 1; i < ARRAY_LEN(known); i++)
		assert_true(glean_helper_compare(&known[i - 1], &known[i]) < 0);
	assert_int_equal(glean_helper_fork(&helper, known, ARRAY_LEN(known), forget, &forgot_in_here, &err),
			 0);
	assert_false(forgot_in_here); /* that was in the helper */
	return helper;
}

static int run(const struct glean_helper *helper, const char *command, const char *input,
	       struct glean_buf *out, size_t max, int timeout_s, struct glean_error *err)
{
	const struct glean_context context = { .helper = helper };

	return glean_run_command("c", command, input, out, max, timeout_s, &context, err);
}

/* ---- the helper ---- */

static void the_helper_runs_commands_as_they_are_run_directly(void **state)
{
	static const struct {
		const char *command, *input, *output;
		size_t max;
		int timeout_s;
		int rc;
		const char *says;
	} cases[] = {
		{ "tr a-z A-Z", "{\"x\":1}", "{\"X\":1}", 100, 30, 0, "" },
		{ "tr a-z b-za", "{\"x\":1}", "{\"y\":1}", 100, 30, 0, "" },
		{ "exit 0", "{}", "", 0, 30, 0, "" },
		{ "echo secret; exit 3", NULL, "secret\n", 100, 30, GLEAN_E_CONFIG,
		  "c: failed with exit code 3" },
		{ "exec 1>&-; exit 5", NULL, "", 100, 30, GLEAN_E_CONFIG, "c: failed with exit code 5" },
		{ "kill -9 $$", NULL, "", 100, 30, GLEAN_E_CONFIG, "c: ended by signal 9" },
		{ "yes", NULL, NULL, 1000, 30, GLEAN_E_CONFIG, "c: printed more than 1000 bytes" },
		{ "exec sleep 1000", NULL, "", 100, 0, GLEAN_E_TEMP, "c: took too long" },
		{ "cat >/dev/null; exec sleep 1000", "{}", "", 100, 0, GLEAN_E_TEMP, "c: took too long" },
	};
	struct glean_helper *helper = start(), *ways[] = { NULL, helper };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t way = 0; way < ARRAY_LEN(ways); way++) {
			struct glean_buf out = { 0 };
			struct glean_error err = { 0 };
			int rc = run(ways[way], cases[i].command, cases[i].input, &out, cases[i].max,
				     cases[i].timeout_s, &err);

			if (rc != cases[i].rc || strcmp(err.text, cases[i].says) != 0 ||
			    (cases[i].output && strcmp(out.data ? out.data : "", cases[i].output) != 0))
				fail_msg("%s by way %zu: %d, %s, %s", cases[i].command, way, rc, err.text,
					 out.data ? out.data : "");
			glean_buf_free(&out);
		}
	}
	glean_helper_end(helper);
}

static void the_helper_runs_nothing_that_it_was_not_given(void **state)
{
	struct glean_helper *helper = start();
	struct glean_error err;

	(void)state;
	assert_int_equal(run(helper, "touch /tmp/never", NULL, NULL, 0, 30, &err), GLEAN_E_IO);
	assert_int_equal(err.sys_errno, EPERM);
	/* A hook is not a password command, whatever its text. */
	assert_int_equal(run(helper, "tr a-z A-Z", NULL, NULL, 0, 30, &err), GLEAN_E_IO);
	glean_helper_end(helper);
}

/* What a process that was taken over could send instead of a request. */
static void the_helper_outlives_requests_that_are_none(void **state)
{
	struct glean_helper *helper = start();
	struct glean_buf out = { 0 };
	struct glean_error err;
	/* The first members of struct glean_helper. */
	struct {
		pid_t pid;
		int fd;
	} inner;
	const uint32_t numbers[] = { UINT32_MAX, ARRAY_LEN(known), 0 };
	char junk[512];

	(void)state;
	memcpy(&inner, helper, sizeof inner);
	memset(junk, 0xff, sizeof junk);
	for (size_t size = 1; size <= sizeof junk; size *= 2)
		assert_int_equal(send(inner.fd, junk, size, 0), size);
	/* Without descriptors not even a number that is known. */
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		assert_int_equal(send(inner.fd, &numbers[i], sizeof numbers[i], 0), sizeof numbers[i]);
	assert_int_equal(run(helper, "tr a-z A-Z", "x", &out, 100, 30, &err), 0);
	assert_string_equal(out.data, "X");
	glean_buf_free(&out);
	glean_helper_end(helper);
}

static bool cancelled(void *user)
{
	(void)user;
	return true;
}

static void a_cancelled_run_ends_a_command_of_the_helper(void **state)
{
	struct glean_helper *helper = start();
	const struct glean_context context = { .helper = helper, .cancelled = cancelled };
	struct glean_error err;

	(void)state;
	assert_int_equal(glean_run_command("c", "exec sleep 1000", NULL, NULL, 0, 1000, &context, &err),
			 GLEAN_E_TEMP);
	assert_string_equal(err.text, "c: interrupted");
	glean_helper_end(helper);
}

static void a_command_of_the_helper_has_its_three_descriptors_only(void **state)
{
	struct glean_helper *helper;
	struct glean_buf out = { 0 };
	struct glean_error err;
	/* Neither ours nor those of another command, nor the helper's own. */
	int open_here = dup(STDERR_FILENO);

	(void)state;
	helper = start();
	assert_int_equal(run(helper, "ls /proc/self/fd", NULL, &out, 100, 30, &err), 0);
	assert_string_equal(out.data, "0\n1\n2\n3\n"); /* the last is the folder that it reads */
	glean_buf_free(&out);
	close(open_here);
	glean_helper_end(helper);
}

static void a_hook_has_a_process_group_and_a_password_command_ours(void **state)
{
	struct glean_helper *helper = start();
	struct glean_buf out = { 0 };
	struct glean_error err;

	(void)state;
	assert_int_equal(run(helper, PROCESS_GROUP, NULL, &out, 100, 30, &err), 0);
	assert_int_equal(atoi(out.data), getpgrp());
	glean_buf_free(&out);
	assert_int_equal(run(helper, PROCESS_GROUP, "{}", &out, 100, 30, &err), 0);
	assert_int_not_equal(atoi(out.data), getpgrp());
	glean_buf_free(&out);
	glean_helper_end(helper);
}

struct asker {
	const struct glean_helper *helper;
	bool upper;
	bool good;
};

static void *ask(void *user)
{
	struct asker *asker = user;

	asker->good = true;
	for (int i = 0; i < 10 && asker->good; i++) {
		struct glean_buf out = { 0 };
		struct glean_error err;
		char text[32], wanted[32];

		snprintf(text, sizeof text, "abc%d", i);
		snprintf(wanted, sizeof wanted, asker->upper ? "ABC%d" : "bcd%d", i);
		asker->good = run(asker->helper, asker->upper ? "tr a-z A-Z" : "tr a-z b-za", text, &out, 100,
				  60, &err) == 0 &&
			      strcmp(out.data, wanted) == 0;
		glean_buf_free(&out);
	}
	return NULL;
}

static void commands_of_many_threads_run_at_once(void **state)
{
	enum { THREADS = 24 };
	struct glean_helper *helper = start();
	struct asker askers[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){ .helper = helper, .upper = i % 2 };
		assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_true(askers[i].good);
	}
	glean_helper_end(helper);
}

static void a_helper_that_is_gone_is_an_error_and_not_a_wait(void **state)
{
	struct glean_helper *helper = start();
	struct glean_buf out = { 0 };
	struct glean_error err;

	(void)state;
	assert_int_equal(run(helper, "echo $PPID", NULL, &out, 100, 30, &err), 0);
	assert_int_equal(kill(atoi(out.data), SIGTERM), 0); /* it is deaf to that */
	glean_buf_free(&out);
	assert_int_equal(run(helper, "echo $PPID", NULL, &out, 100, 30, &err), 0);
	assert_int_equal(kill(atoi(out.data), SIGKILL), 0);
	glean_buf_free(&out);
	/* The first may be taken by the socket while the helper dies. */
	assert_int_equal(run(helper, "echo $PPID", NULL, &out, 100, 30, &err), GLEAN_E_IO);
	assert_int_equal(run(helper, "echo $PPID", NULL, &out, 100, 30, &err), GLEAN_E_IO);
	glean_buf_free(&out);
	glean_helper_end(helper);
}

/* A hook that was ended, with what it had started: the last writer of a pipe is gone. */
static void a_hook_ends_with_all_that_it_started(void **state)
{
	char path[] = "/tmp/glean-confine-XXXXXX", text[32] = "";
	int fd = mkstemp(path);
	struct glean_helper *helper;
	struct glean_error err;

	(void)state;
	setenv("GLEAN_TEST_FILE", path, 1);
	helper = start();
	assert_int_equal(
		run(helper, "sleep 1000 & echo $! >\"$GLEAN_TEST_FILE\"; wait", "{}", NULL, 0, 1, &err),
		GLEAN_E_TEMP);
	assert_true(read(fd, text, sizeof text - 1) > 0);
	/* Killed, if not yet waited for by its new parent. */
	for (int i = 0; i < 1000 && kill(atoi(text), 0) == 0; i++) {
		char stat_path[64], status[512] = "";
		FILE *f;

		snprintf(stat_path, sizeof stat_path, "/proc/%d/stat", atoi(text));
		f = fopen(stat_path, "r");
		if (f && fread(status, 1, sizeof status - 1, f) > 0 && strstr(status, ") Z "))
			i = 1000;
		if (f)
			fclose(f);
		poll(NULL, 0, 5);
		assert_int_not_equal(i, 999);
	}
	glean_helper_end(helper);
	close(fd);
	unlink(path);
}

static void a_configuration_without_commands_needs_no_helper(void **state)
{
	static const char text[] = "store = \"/nowhere\"\n"
				   "account \"a\" { old { address = \"192.0.2.1\" user = \"a\" %s } }\n";
	static const struct {
		const char *more;
		bool helper;
	} cases[] = {
		{ "password = \"x\"", false },
		{ "password-file = \"/nowhere\"", false },
		{ "password-command = \"true\"", true },
		{ "token-command = \"true\"", true },
		{ "} quiet { on-drained = \"true\"", true },
		{ "} quiet { on-straggler = \"true\"", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char full[512];
		struct glean_config *config;
		struct glean_helper *helper;
		struct glean_error err = { 0 };

		snprintf(full, sizeof full, text, cases[i].more);
		if (glean_config_parse(&config, full, "conf", NULL, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(glean_helper_start(&helper, config, NULL, NULL, &err), 0);
		assert_int_equal(helper != NULL, cases[i].helper);
		glean_helper_stop(helper);
		glean_config_free(config);
	}
}

/* ---- confinement, each time of a process of its own ---- */

struct place {
	char dir[64], store[96];
	struct glean_config *config;
};

static void make_place(struct place *place, const char *top)
{
	char text[512];
	struct glean_error err = { 0 };

	strcpy(place->dir, "/tmp/glean-confine-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->store, sizeof place->store, "%s/deep/store", place->dir);
	snprintf(text, sizeof text,
		 "store = \"%s\"\n%s\n"
		 "account \"a\" { old { address = \"127.0.0.1\" port = 4711 user = \"a\" password = \"b\" } "
		 "}\n",
		 place->store, top);
	if (glean_config_parse(&place->config, text, "conf", NULL, &err) < 0)
		fail_msg("%s", err.text);
}

static void remove_place(struct place *place)
{
	char command[128];

	glean_config_free(place->config);
	snprintf(command, sizeof command, "rm -r '%s'", place->dir);
	assert_int_equal(system(command), 0);
}

/* 0: not in force in this build or on this kernel; the child ends with it, and the test is skipped. */
enum { GOOD = 0, SKIPPED = 77, BAD = 1 };

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "# %s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);  \
			_exit(BAD);                                                                          \
		}                                                                                            \
	} while (0)

static void in_confinement(const struct glean_confine_options *options, const char *top,
			   void (*work)(const struct place *place, const struct glean_confinement *got))
{
	struct place place;
	int status;
	pid_t pid;

	/* It maps pages to execute all the time, which the filter of system calls forbids. */
	if (getenv("UNDER_VALGRIND"))
		skip();
	make_place(&place, top);
	pid = fork();
	if (pid == 0) {
		struct glean_confinement got;
		struct glean_error err = { 0 };

		CHECK(glean_confine(&got, place.config, options, &err) == 0);
		if (!got.landlock || !got.system_calls)
			_exit(SKIPPED);
		work(&place, &got);
		_exit(GOOD);
	}
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	remove_place(&place);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == GOOD);
}

static void use_store(const struct place *place, const struct glean_confinement *got)
{
	char path[256];
	int root = open(place->store, O_RDONLY | O_DIRECTORY), fd; /* it was made */

	CHECK(got->no_core_dumps && got->no_new_privileges && !got->lacking[0]);
	CHECK(root >= 0 && mkdirat(root, "a", 0700) == 0);
	CHECK(mkdirat(root, "a/tmp", 0700) == 0 && mkdirat(root, "a/new", 0700) == 0);
	fd = openat(root, "a/tmp/1", O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && ftruncate(fd, 0) == 0);
	CHECK(renameat(root, "a/tmp/1", root, "a/new/1") == 0 && unlinkat(root, "a/new/1", 0) == 0);
	fd = openat(root, "a", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && fsync(fd) == 0 && fdopendir(fd));
	CHECK(open("/dev/null", O_RDWR) >= 0 && open("/etc/resolv.conf", O_RDONLY) >= 0);
	CHECK(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	CHECK(open("/proc/self/status", O_RDONLY) < 0 && errno == EACCES);
	CHECK(open("/", O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES);
	snprintf(path, sizeof path, "%s/beside", place->dir);
	CHECK(open(path, O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES);
	CHECK(link("a/new", "a/link") < 0 && symlink("x", "a/link") < 0 &&
	      mknod("a/fifo", S_IFIFO | 0600, 0) < 0);
}

static void when_confined_the_store_is_all_that_can_be_written(void **state)
{
	(void)state;
	in_confinement(&(struct glean_confine_options){ .network = true, .write = true }, "", use_store);
}

static void read_store(const struct place *place, const struct glean_confinement *got)
{
	struct stat st;

	(void)got;
	/* Nothing was made for reading. */
	CHECK(stat(place->store, &st) < 0 && errno == ENOENT);
	CHECK(mkdir(place->store, 0700) < 0);
	CHECK(socket(AF_INET, SOCK_STREAM, 0) < 0 && socket(AF_UNIX, SOCK_STREAM, 0) < 0);
	CHECK(open("/etc/resolv.conf", O_RDONLY) < 0 && errno == EACCES);
}

static void when_confined_who_only_reads_makes_nothing_and_has_no_network(void **state)
{
	(void)state;
	in_confinement(&(struct glean_confine_options){ 0 }, "", read_store);
}

static void *nothing(void *user)
{
	return user;
}

static void try_calls(const struct place *place, const struct glean_confinement *got)
{
	static const int good[] = { AF_INET, AF_INET6, AF_UNIX };
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
	pthread_t thread;
	char *words[] = { (char *)"true", NULL };
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)place;
	(void)got;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK(socket(good[i], SOCK_STREAM, 0) >= 0 || errno == EAFNOSUPPORT);
	CHECK(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
	CHECK(socket(AF_NETLINK, SOCK_RAW, 9) < 0 && errno == ENOSYS); /* audit */
	CHECK(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == ENOSYS);
	CHECK(execv("/bin/true", words) < 0 && errno == ENOSYS);
	CHECK(fork() < 0 && errno == ENOSYS);
	CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0);
	CHECK(page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHECK(prctl(PR_SET_DUMPABLE, 1) < 0 && prctl(PR_GET_DUMPABLE) == 0);
	CHECK(setrlimit(RLIMIT_CORE, &any) < 0);
	CHECK(kill(getppid(), 0) < 0 && kill(getpid(), 0) == 0);
	CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 && errno == ENOSYS);
}

static void when_confined_system_calls_beyond_the_need_do_not_exist(void **state)
{
	(void)state;
	in_confinement(&(struct glean_confine_options){ .network = true }, "", try_calls);
}

static int try_port(uint16_t port)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
					.sin_port = htons(port),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int rc = connect(fd, (const struct sockaddr *)&to, sizeof to);

	close(fd);
	return rc;
}

static void connect_to(const struct place *place, const struct glean_confinement *got)
{
	(void)place;
	if (!got->ports)
		_exit(SKIPPED);
	/* Whether anybody listens there or not. */
	CHECK(try_port(4711) == 0 || errno == ECONNREFUSED);
	CHECK(try_port(53) == 0 || errno == ECONNREFUSED);
	CHECK(try_port(4712) < 0 && errno == EACCES);
	CHECK(try_port(22) < 0 && errno == EACCES);
}

static void when_confined_only_configured_ports_can_be_connected_to(void **state)
{
	(void)state;
	in_confinement(&(struct glean_confine_options){ .network = true }, "", connect_to);
}

static void read_more(const struct place *place, const struct glean_confinement *got)
{
	(void)place;
	(void)got;
	CHECK(open("/etc/passwd", O_RDONLY) >= 0);
	CHECK(open("/etc/passwd", O_WRONLY) < 0 && errno == EACCES);
	CHECK(open("/etc/group", O_RDONLY) < 0 && errno == EACCES);
}

static void when_confined_a_path_of_the_callers_can_be_read(void **state)
{
	static const char *const paths[] = { "/nonexistent", "/etc/passwd" };

	(void)state;
	in_confinement(&(struct glean_confine_options){ .read_paths = paths, .n_read_paths = 2 }, "",
		       read_more);
}

static void switched_off_nothing_is_confined_but_core_files(void **state)
{
	struct place place;
	int status;
	pid_t pid;

	(void)state;
	make_place(&place, "sandbox = \"off\"");
	pid = fork();
	if (pid == 0) {
		struct glean_confinement got;
		struct glean_error err = { 0 };
		struct rlimit limit;

		CHECK(glean_confine(&got, place.config, &(struct glean_confine_options){ 0 }, &err) == 0);
		CHECK(!got.landlock && !got.system_calls && !got.no_new_privileges && got.no_core_dumps);
		CHECK(strstr(got.lacking, "off"));
		CHECK(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0);
		CHECK(open("/etc/passwd", O_RDONLY) >= 0);
		_exit(GOOD);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	remove_place(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_helper_runs_commands_as_they_are_run_directly),
		cmocka_unit_test(the_helper_runs_nothing_that_it_was_not_given),
		cmocka_unit_test(the_helper_outlives_requests_that_are_none),
		cmocka_unit_test(a_cancelled_run_ends_a_command_of_the_helper),
		cmocka_unit_test(a_command_of_the_helper_has_its_three_descriptors_only),
		cmocka_unit_test(a_hook_has_a_process_group_and_a_password_command_ours),
		cmocka_unit_test(commands_of_many_threads_run_at_once),
		cmocka_unit_test(a_helper_that_is_gone_is_an_error_and_not_a_wait),
		cmocka_unit_test(a_hook_ends_with_all_that_it_started),
		cmocka_unit_test(a_configuration_without_commands_needs_no_helper),
		cmocka_unit_test(when_confined_the_store_is_all_that_can_be_written),
		cmocka_unit_test(when_confined_who_only_reads_makes_nothing_and_has_no_network),
		cmocka_unit_test(when_confined_system_calls_beyond_the_need_do_not_exist),
		cmocka_unit_test(when_confined_only_configured_ports_can_be_connected_to),
		cmocka_unit_test(when_confined_a_path_of_the_callers_can_be_read),
		cmocka_unit_test(switched_off_nothing_is_confined_but_core_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
