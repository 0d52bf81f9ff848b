/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The floor: the least work a POP3 fetch can do, to know what is reachable on a machine. It trusts the server
 * and keeps no record of anything.
 *
 * floor [-T] [-l] [-D] [-d MODE -o MAILDIR] HOST PORT USER PASSWORD
 *
 * -T  TLS from the first byte, certificate not verified
 * -l  only USER, PASS, STAT and UIDL
 * -D  delete everything once it is stored
 * -d  null    read and discard (default)
 *     none    into the Maildir, nothing is flushed
 *     each    a flush of the file, a rename and a flush of the folder for each message
 *     syncfs  in batches of 256, in a thread of its own: one syncfs, then rename each
 *
 * Every mode that flushes ends with a flush of the folder before the first DELE.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WINDOW 1000 /* commands in flight: at most 12 KB, so that a write that blocks cannot deadlock */
#define BATCH 256
#define QUEUE 4

enum mode { NOTHING, NONE, EACH, SYNCFS, MODES };
static const char *const mode_names[MODES] = { "null", "none", "each", "syncfs" };
static enum mode mode = NOTHING;
static int sock, tmp_fd, new_fd;
static SSL *ssl;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- the connection ---- */

static char in[1 << 18];
static size_t in_pos, in_end;

static void fill(void)
{
	ssize_t n = ssl ? SSL_read(ssl, in, sizeof in) : read(sock, in, sizeof in);

	if (n <= 0) {
		fprintf(stderr, "connection lost\n");
		exit(1);
	}
	in_pos = 0;
	in_end = (size_t)n;
}

static void put(const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = ssl ? SSL_write(ssl, data, (int)size) : write(sock, data, size);

		if (n <= 0)
			die("write");
		data += n;
		size -= (size_t)n;
	}
}

static void read_line(char *out, size_t size)
{
	size_t n = 0;
	char c;

	do {
		if (in_pos == in_end)
			fill();
		c = in[in_pos++];
		if (n + 1 < size)
			out[n++] = c;
	} while (c != '\n');
	out[n] = '\0';
}

static void expect_ok(char *reply, size_t size)
{
	read_line(reply, size);
	if (reply[0] != '+') {
		fprintf(stderr, "server said: %s", reply);
		exit(1);
	}
}

static void dial(const char *host, const char *port, bool tls)
{
	struct addrinfo *found, hint = { .ai_socktype = SOCK_STREAM };
	int buffer = 4 << 20, one = 1;
	SSL_CTX *context;

	if (getaddrinfo(host, port, &hint, &found) != 0)
		die("getaddrinfo");
	sock = socket(found->ai_family, SOCK_STREAM, 0);
	setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(sock, found->ai_addr, found->ai_addrlen) < 0)
		die("connect");
	freeaddrinfo(found);
	if (!tls)
		return;
	context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_read_ahead(context, 1);
	ssl = SSL_new(context);
	SSL_set_fd(ssl, sock);
	if (SSL_connect(ssl) != 1) {
		fprintf(stderr, "TLS failed\n");
		exit(1);
	}
}

/* ---- storing: the committer publishes one batch while the next one is received ---- */

struct batch {
	unsigned *numbers;
	int count;
};

static struct batch queue[QUEUE], current;
static int queue_head, queue_tail;
static bool queue_done;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char stamp[48];

static char *file_name(char name[64], unsigned number)
{
	snprintf(name, 64, "%s.%u", stamp, number);
	return name;
}

static void publish(unsigned number)
{
	char name[64];

	file_name(name, number);
	if (renameat(tmp_fd, name, new_fd, name) < 0)
		die("rename");
}

static void commit(struct batch *batch)
{
	if (syncfs(tmp_fd) < 0)
		die("syncfs");
	for (int i = 0; i < batch->count; i++)
		publish(batch->numbers[i]);
	free(batch->numbers);
}

static void *committer(void *unused)
{
	for (;;) {
		struct batch batch;

		pthread_mutex_lock(&mutex);
		while (queue_head == queue_tail && !queue_done)
			pthread_cond_wait(&changed, &mutex);
		if (queue_head == queue_tail) {
			pthread_mutex_unlock(&mutex);
			return unused;
		}
		batch = queue[queue_head % QUEUE];
		pthread_mutex_unlock(&mutex);
		commit(&batch);
		pthread_mutex_lock(&mutex);
		queue_head++;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&mutex);
	}
}

static void hand_over(void)
{
	pthread_mutex_lock(&mutex);
	while (queue_tail - queue_head == QUEUE)
		pthread_cond_wait(&changed, &mutex);
	queue[queue_tail++ % QUEUE] = current;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&mutex);
	current = (struct batch){ 0 };
}

static void stored(unsigned number, int fd)
{
	if (mode == EACH && fsync(fd) < 0)
		die("fsync");
	close(fd);
	if (mode == NONE || mode == EACH) {
		publish(number);
		if (mode == EACH && fsync(new_fd) < 0)
			die("fsync");
		return;
	}
	if (!current.numbers)
		current.numbers = malloc(BATCH * sizeof *current.numbers);
	current.numbers[current.count++] = number;
	if (current.count == BATCH)
		hand_over();
}

static void finish_storing(pthread_t thread)
{
	if (mode == SYNCFS) {
		if (current.count > 0)
			hand_over();
		pthread_mutex_lock(&mutex);
		queue_done = true;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&mutex);
		pthread_join(thread, NULL);
	}
	if (mode >= EACH && fsync(new_fd) < 0)
		die("fsync");
}

/* ---- a message: dot-stuffing undone, CRLF to LF ---- */

static char out[1 << 20];
static size_t out_size;

static void write_out(int fd)
{
	for (size_t done = 0; done < out_size;) {
		ssize_t n = write(fd, out + done, out_size - done);

		if (n < 0)
			die("write message");
		done += (size_t)n;
	}
	out_size = 0;
}

static void emit(int fd, const char *data, size_t size)
{
	if (mode == NOTHING)
		return;
	if (out_size + size > sizeof out)
		write_out(fd);
	memcpy(out + out_size, data, size); /* smaller than OUT: it comes from IN */
	out_size += size;
}

/* At the beginning of a line, on a dot: is it the end of the message? */
static bool take_dot(void)
{
	in_pos++;
	if (in_pos == in_end)
		fill();
	if (in[in_pos] != '\r' && in[in_pos] != '\n')
		return false;
	while (in[in_pos++] != '\n') {
		if (in_pos == in_end)
			fill();
	}
	return true;
}

static void receive_body(int fd)
{
	bool line_begins = true, held_cr = false;

	for (;;) {
		char *start, *end;
		size_t n;

		if (in_pos == in_end)
			fill();
		if (line_begins && in[in_pos] == '.' && take_dot())
			return;
		start = in + in_pos;
		end = memchr(start, '\n', in_end - in_pos);
		n = end ? (size_t)(end - start) : in_end - in_pos;
		if (held_cr && end != start)
			emit(fd, "\r", 1);
		held_cr = false;
		if (n > 0 && start[n - 1] == '\r') {
			n--;
			held_cr = !end;
		}
		emit(fd, start, n);
		if (end)
			emit(fd, "\n", 1);
		line_begins = end != NULL;
		in_pos = end ? (size_t)(end - in) + 1 : in_end;
	}
}

static void on_message(unsigned number)
{
	char name[64];
	int fd = -1;

	if (mode != NOTHING) {
		fd = openat(tmp_fd, file_name(name, number), O_CREAT | O_EXCL | O_WRONLY, 0600);
		if (fd < 0)
			die("create");
	}
	receive_body(fd);
	if (mode == NOTHING)
		return;
	write_out(fd);
	stored(number, fd);
}

static void on_deletion(unsigned number)
{
	(void)number;
}

static void pipeline(const char *verb, unsigned count, void (*on_reply)(unsigned))
{
	static char commands[32 * WINDOW];
	char reply[1024];
	unsigned sent = 0, got = 0;

	while (got < count) {
		if (sent < count && sent - got <= WINDOW / 2) {
			size_t size = 0;

			while (sent < count && sent - got < WINDOW)
				size += (size_t)sprintf(commands + size, "%s %u\r\n", verb, ++sent);
			put(commands, size);
		}
		expect_ok(reply, sizeof reply);
		on_reply(++got);
	}
}

/* ---- the run ---- */

static unsigned log_in_and_list(const char *user, const char *password)
{
	char line[1024];
	unsigned count;
	int n = snprintf(line, sizeof line, "USER %s\r\nPASS %s\r\nSTAT\r\nUIDL\r\n", user, password);

	put(line, (size_t)n);
	for (int i = 0; i < 4; i++) /* greeting, USER, PASS, STAT */
		expect_ok(line, sizeof line);
	count = (unsigned)strtoul(line + 4, NULL, 10);
	expect_ok(line, sizeof line);
	do
		read_line(line, sizeof line);
	while (strcmp(line, ".\r\n") != 0);
	return count;
}

static void open_maildir(const char *path)
{
	int fd;

	mkdir(path, 0700);
	fd = open(path, O_DIRECTORY);
	mkdirat(fd, "tmp", 0700);
	mkdirat(fd, "cur", 0700);
	mkdirat(fd, "new", 0700);
	tmp_fd = openat(fd, "tmp", O_DIRECTORY);
	new_fd = openat(fd, "new", O_DIRECTORY);
	if (tmp_fd < 0 || new_fd < 0)
		die(path);
	snprintf(stamp, sizeof stamp, "%lld.%d.floor", (long long)time(NULL), (int)getpid());
}

struct options {
	bool tls, list_only, delete;
	const char *maildir;
};

static bool read_options(int argc, char **argv, struct options *options)
{
	int c;

	while ((c = getopt(argc, argv, "Td:o:Dl")) != -1) {
		switch (c) {
		case 'T':
			options->tls = true;
			break;
		case 'd':
			for (mode = 0; mode < MODES && strcmp(mode_names[mode], optarg) != 0; mode++)
				;
			break;
		case 'o':
			options->maildir = optarg;
			break;
		case 'D':
			options->delete = true;
			break;
		case 'l':
			options->list_only = true;
			break;
		default:
			return false;
		}
	}
	return argc - optind == 4 && mode < MODES && (mode == NOTHING || options->maildir);
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	pthread_t thread = 0;
	char reply[1024];
	unsigned count;

	if (!read_options(argc, argv, &options)) {
		fprintf(stderr, "usage: floor [-T] [-l] [-D] [-d MODE -o MAILDIR] HOST PORT USER PASSWORD\n");
		return 64;
	}
	if (options.maildir)
		open_maildir(options.maildir);
	if (mode == SYNCFS && pthread_create(&thread, NULL, committer, NULL) != 0)
		die("thread");
	dial(argv[optind], argv[optind + 1], options.tls);
	count = log_in_and_list(argv[optind + 2], argv[optind + 3]);
	if (!options.list_only)
		pipeline("RETR", count, on_message);
	finish_storing(thread);
	if (options.delete)
		pipeline("DELE", count, on_deletion);
	put("QUIT\r\n", 6);
	expect_ok(reply, sizeof reply);
	return 0;
}
