/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out zebra's release line, before anything is sent that another line could misread. */
#pragma once

#include <cosmolet/zapi.h>

#include "release.h"
#include "wire.h"

enum detect_stage {
	DETECT_PROBING,  /* the probe is out */
	DETECT_GREETING, /* HELLO is out */
	DETECT_NAMING,   /* capabilities are in; the default VRF is to come */
};

struct detect {
	enum detect_stage stage;
	/* What was seen; 0: not yet. */
	uint16_t error;
	uint16_t hello;
	uint16_t capabilities_size;
	uint16_t vrf_add;
	uint16_t vrf_add_size;
	struct wire_capabilities capabilities;
	struct releases releases; /* all that fit what was seen */
	char text[160];
};

enum detect_verdict {
	DETECT_MORE,  /* the next message, please */
	DETECT_FOUND, /* releases is known, and HELLO has been said: as nobody, of no route type */
	DETECT_REFUSED, /* text says what was seen */
};

void detect_begin(struct detect *detect, struct writer *w);
/* Messages that are no answer to ours are passed over. */
enum detect_verdict detect_take(
	struct detect *detect, const struct wire_frame *frame, struct writer *w);
/* Says in text what zebra has left unanswered. true: it is of a release that is not known. */
bool detect_silence(struct detect *detect);
