/* SPDX-License-Identifier: BSD-2-Clause */
/* Sentences for people go through these; the domain is set once in main(). */
#ifndef CLI_I18N_H
#define CLI_I18N_H

#include <libintl.h>

#define _(msgid) gettext(msgid)
#define N_(msgid) msgid

#endif
