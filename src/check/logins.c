/* SPDX-License-Identifier: BSD-2-Clause */
/* Logins alone, of many accounts. */
#include <mailglean/check.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "net/net.h"
#include "pool/pool.h"
#include "pop3/pop3.h"

struct logins {
	const struct glean_sync_options *options;
	const struct glean_callbacks *callbacks;
	void (*each)(const struct glean_login_check *check, void *user);
	void *user;
	pthread_mutex_t told;  /* never two calls of the caller's at a time */
	pthread_mutex_t asked; /* never two passwords */
};

struct login {
	struct logins *logins;
	struct glean_pool *pool;
	const struct glean_account *account;
	enum glean_side side;
	struct glean_context context;
	struct glean_login *result;
};

static void login_log(enum glean_log_level level, const char *text, void *user)
{
	const struct login *login = user;
	const struct glean_event event = { .kind = GLEAN_EVENT_LOG,
					   .level = level,
					   .account = login->account,
					   .side = (int)login->side,
					   .text = text };

	if (!login->logins->callbacks->event)
		return;
	pthread_mutex_lock(&login->logins->told);
	login->logins->callbacks->event(&event, login->logins->callbacks->user);
	pthread_mutex_unlock(&login->logins->told);
}

static bool login_cancelled(void *user)
{
	const struct glean_callbacks *callbacks = ((const struct login *)user)->logins->callbacks;

	return callbacks->cancelled && callbacks->cancelled(callbacks->user);
}

static void note_session(struct glean_login *result, const struct glean_pop3 *pop3)
{
	const struct glean_peer *peer = glean_pop3_peer(pop3);

	snprintf(result->peer, sizeof result->peer, strchr(peer->address, ':') ? "[%s]:%u" : "%s:%u",
		 peer->address, (unsigned)peer->port);
	snprintf(result->tls_version, sizeof result->tls_version, "%s", peer->tls_version);
	snprintf(result->auth, sizeof result->auth, "%s", glean_pop3_auth(pop3));
}

static int log_in(struct login *login, const struct glean_buf *secret, struct glean_error *err)
{
	struct glean_pop3 *pop3 = NULL;
	int rc = glean_pool_admit(login->pool, login->account, login->side, err);

	login->result->not_tried = rc < 0;
	if (rc < 0)
		return rc;
	rc = glean_pop3_look(&pop3, &login->account->server[login->side], secret->data, secret->size,
			     &login->context, err);
	glean_pool_tell(login->pool, login->account, login->side, rc);
	if (pop3)
		note_session(login->result, pop3);
	if (rc == 0)
		return glean_pop3_quit(pop3, err);
	glean_pop3_abort(pop3);
	return rc;
}

static int check_side(struct login *login)
{
	struct glean_error *err = &login->result->error;
	struct glean_buf secret = { 0 };
	int rc;

	login->context = (struct glean_context){ login_log, login_cancelled, login,
						 login->logins->callbacks->want_dialogue,
						 login->logins->callbacks->helper };
	if (login_cancelled(login))
		return glean_fail(err, GLEAN_E_TEMP, "%s", _("interrupted"));
	pthread_mutex_lock(&login->logins->asked);
	rc = glean_secret_get(&secret, login->account, login->side, login->logins->callbacks, &login->context,
			      err);
	pthread_mutex_unlock(&login->logins->asked);
	if (rc == 0)
		rc = log_in(login, &secret, err);
	glean_buf_free(&secret);
	return rc;
}

static int work(struct glean_pool *pool, const struct glean_account *account, void *user,
		struct glean_error *err)
{
	struct logins *logins = user;
	struct glean_login_check check = { .account = account };
	int worst = 0;

	for (int i = 0; i < 2; i++) {
		struct login login = { .logins = logins,
				       .pool = pool,
				       .account = account,
				       .side = (enum glean_side)i,
				       .result = &check.side[i] };

		if (!account->server[i].present || (logins->options->only >= 0 && logins->options->only != i))
			continue;
		check.side[i].asked_for = true;
		check.side[i].error.status = check_side(&login);
		if (check.side[i].error.status != 0 &&
		    glean_status_worse(check.side[i].error.status, worst) != worst) {
			worst = check.side[i].error.status;
			*err = check.side[i].error;
		}
	}
	pthread_mutex_lock(&logins->told);
	logins->each(&check, logins->user);
	pthread_mutex_unlock(&logins->told);
	return worst;
}

int glean_check_logins(const struct glean_config *config, const struct glean_sync_options *options,
		       const struct glean_callbacks *callbacks,
		       void (*each)(const struct glean_login_check *check, void *user), void *user,
		       struct glean_error *err)
{
	static const struct glean_callbacks silent = { 0 };
	struct logins logins = {
		.options = options,
		.callbacks = callbacks ? callbacks : &silent,
		.each = each,
		.user = user,
		.told = PTHREAD_MUTEX_INITIALIZER,
		.asked = PTHREAD_MUTEX_INITIALIZER,
	};
	const struct glean_pool_options who = {
		.accounts = options->accounts,
		.n_accounts = options->n_accounts,
		.jobs = options->jobs,
		.only = options->only,
		.shard = options->shard,
		.shards = options->shards,
	};

	return glean_pool_run(config, &who, work, &logins, err);
}
