/* SPDX-License-Identifier: BSD-2-Clause */
/* The stores of many accounts, read by a few threads. */
#include "side_by_side.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS_MAX 4
/* A thread for fewer is not worth its start. */
#define EACH_MIN 8

struct work {
	void (*each)(size_t i, void *user);
	void *user;
	size_t count;
	atomic_size_t next;
};

static void *worker(void *user)
{
	struct work *work = user;
	size_t i;

	while ((i = atomic_fetch_add(&work->next, 1)) < work->count)
		work->each(i, work->user);
	return NULL;
}

void side_by_side(size_t count, void (*each)(size_t i, void *user), void *user)
{
	struct work work = { .each = each, .user = user, .count = count };
	pthread_t threads[THREADS_MAX - 1];
	size_t n = 0;

	/* Where no thread can be had, this one does it all. */
	while (n < THREADS_MAX - 1 && (n + 1) * EACH_MIN < count &&
	       pthread_create(&threads[n], NULL, worker, &work) == 0)
		n++;
	worker(&work);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}
