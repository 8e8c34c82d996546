/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out zebra's release line by asking questions that are harmless on every one of them.
 *
 * First a command that does not exist, in a VRF that cannot exist: zebra looks the VRF up before it
 * looks at the command, so no handler runs, and the number of the ERROR that comes back already
 * names the line or a pair of lines. Then HELLO; a HELLO of the wrong generation has no handler
 * there, and ERROR says so. Finally the size of CAPABILITIES and the number and size of VRF_ADD
 * must fit the same column. A release to come may reuse any one of these: only a column that fits
 * in all four is believed, and everything else is refused.
 */
#include "detect.h"

#include <stdio.h>

#include "word.h"

static void tell_what_was_seen(struct detect *d, const char *verdict)
{
	FILE *out = fmemopen(d->text, sizeof(d->text), "w");

	d->text[0] = '\0';
	if (!out)
		return;
	fprintf(out, "%s: ERROR is message %u", verdict, d->error);
	if (d->hello)
		fprintf(out, ", HELLO %u", d->hello);
	if (d->capabilities_size)
		fprintf(out, ", CAPABILITIES has %u octets", d->capabilities_size);
	if (d->vrf_add)
		fprintf(out, ", VRF_ADD is %u with %u octets", d->vrf_add, d->vrf_add_size);
	fclose(out);
}

static enum detect_verdict refuse(struct detect *d)
{
	tell_what_was_seen(d, "zebra is of a release that is not known");
	return DETECT_REFUSED;
}

/* HELLO as the earliest line of those that are left has it; answered by ERROR, the next. */
static enum detect_verdict greet(struct detect *d, struct releases left, struct writer *w)
{
	if (releases_none(left))
		return refuse(d);
	d->stage = DETECT_GREETING;
	d->hello = release_fact(releases_first(left), MSG_HELLO);
	d->releases = releases_with(left, MSG_HELLO, d->hello);
	wire_write_hello(w, d->releases, 0, 0);
	return DETECT_MORE;
}

void detect_begin(struct detect *d, struct writer *w)
{
	*d = (struct detect){.releases = {0}};
	wire_write_probe(w);
}

static enum detect_verdict take_probe_answer(
	struct detect *d, const struct wire_frame *frame, struct writer *w)
{
	if (frame->vrf != WIRE_NO_VRF)
		return DETECT_MORE;
	d->error = frame->command;
	if (!wire_is_probe_answer(frame))
		return refuse(d);
	return greet(d, releases_with(releases_all(), MSG_ERROR, d->error), w);
}

/* zebra has no handler for our HELLO: is there a line with another one? */
static enum detect_verdict greet_again(struct detect *d, struct writer *w)
{
	struct releases left = releases_with(releases_all(), MSG_ERROR, d->error);

	left.bits &= ~(releases_with(left, MSG_HELLO, d->hello).bits);
	if (releases_none(left) || release_fact(releases_first(left), MSG_HELLO) < d->hello)
		return refuse(d);
	return greet(d, left, w);
}

static enum detect_verdict take_capabilities(
	struct detect *d, const struct wire_frame *frame, struct writer *w)
{
	uint32_t code;

	if (frame->command == d->error && wire_read_error(frame->body, &code))
		return code == WIRE_ERROR_NO_COMMAND ? greet_again(d, w) : refuse(d);
	if (frame->command != releases_fact(d->releases, MSG_CAPABILITIES) || frame->vrf != 0)
		return DETECT_MORE;
	d->stage = DETECT_NAMING;
	d->capabilities_size = (uint16_t)rd_left(&frame->body);
	d->releases = releases_with(d->releases, SIZE_CAPABILITIES, d->capabilities_size);
	if (releases_none(d->releases) || !wire_read_capabilities(frame->body, &d->capabilities))
		return refuse(d);
	return DETECT_MORE;
}

/* Whether it could be VRF_ADD on any line, going by number and by size. */
static bool is_any_vrf_add(const struct wire_frame *frame)
{
	uint16_t size = (uint16_t)rd_left(&frame->body);

	return !releases_none(releases_with(releases_all(), MSG_VRF_ADD, frame->command)) &&
	       !releases_none(releases_with(releases_all(), SIZE_VRF_ADD, size));
}

/* The default VRF is told first. Under another line's number, that is a contradiction, too. */
static enum detect_verdict take_vrf(struct detect *d, const struct wire_frame *frame)
{
	if (frame->vrf != 0 || (frame->command != releases_fact(d->releases, MSG_VRF_ADD) &&
				       !is_any_vrf_add(frame)))
		return DETECT_MORE;
	d->vrf_add = frame->command;
	d->vrf_add_size = (uint16_t)rd_left(&frame->body);
	d->releases = releases_with(d->releases, MSG_VRF_ADD, d->vrf_add);
	d->releases = releases_with(d->releases, SIZE_VRF_ADD, d->vrf_add_size);
	return releases_none(d->releases) ? refuse(d) : DETECT_FOUND;
}

enum detect_verdict detect_take(struct detect *d, const struct wire_frame *frame, struct writer *w)
{
	switch (d->stage) {
	case DETECT_PROBING: return take_probe_answer(d, frame, w);
	case DETECT_GREETING: return take_capabilities(d, frame, w);
	case DETECT_NAMING: return take_vrf(d, frame);
	}
	return DETECT_REFUSED;
}

/* Its default VRF follows HELLO's answer at once: a message that we do not take for it is another
 * release's. */
bool detect_silence(struct detect *d)
{
	switch (d->stage) {
	case DETECT_PROBING:
		snprintf(d->text, sizeof(d->text), "zebra did not answer the probe in time");
		return false;
	case DETECT_GREETING:
		tell_what_was_seen(d, "zebra did not answer HELLO in time");
		return false;
	case DETECT_NAMING: refuse(d);
	}
	return true;
}
