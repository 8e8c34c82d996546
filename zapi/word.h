/* SPDX-License-Identifier: Apache-2.0 */
/* What a word after "redistribute" means for the client. */
#pragma once

#include <cosmolet/zapi.h>

#include "release.h"

enum word_kind {
	WORD_OWN,    /* a route type of our own: HELLO says it, graceful restart keeps the routes */
	WORD_SHARED, /* a route type of others, too: HELLO says nobody's, ours is told by tag */
	WORD_PASSIVE, /* the kernel's addresses make the routes: we only watch */
};

enum word_kind word_kind(enum zapi_word word);
/* The row of its route type. */
enum fact word_type(enum zapi_word word);
