/* SPDX-License-Identifier: BSD-2-Clause */
/* What the process that met servers left of a seal is believed as far as it is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/seal.h"

static void a_name_that_is_no_hash_is_not_taken_from_the_other_process(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char folder[256], path[300];
	struct glean_seal_name name, told;
	struct glean_error err = { 0 };
	struct glean_seal *seal;

	(void)state;
	snprintf(folder, sizeof folder, "%s/glean-seal-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/proof", folder);
	assert_int_equal(glean_seal_open(&seal, path, &err), 0);
	assert_int_equal(glean_seal_begin(seal, 1, true, false, &err), 0);
	assert_int_equal(glean_seal_finish(seal, &err), 0);
	name = seal->shared->name;

	memset(seal->shared->name.hash, 'a', sizeof seal->shared->name.hash);
	assert_int_equal(glean_seal_commit(seal, &told, &err), GLEAN_E_INTERNAL);
	seal->shared->name = name;
	memset(seal->shared->name.previous, 'a', sizeof seal->shared->name.previous);
	assert_int_equal(glean_seal_commit(seal, &told, &err), GLEAN_E_INTERNAL);
	assert_int_equal(told.number, 0);
	assert_int_equal(access(path, F_OK), -1);
	glean_seal_close(seal);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_is_no_hash_is_not_taken_from_the_other_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
