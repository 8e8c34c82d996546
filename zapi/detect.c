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

/* Whether what was seen so far fits the column. */
static bool fits(const struct detect *d, enum release release)
{
	return d->error == release_fact(release, MSG_ERROR) &&
	       (!d->hello || d->hello == release_fact(release, MSG_HELLO)) &&
	       (!d->capabilities_size ||
		       d->capabilities_size == release_fact(release, SIZE_CAPABILITIES)) &&
	       (!d->vrf_add || d->vrf_add == release_fact(release, MSG_VRF_ADD)) &&
	       (!d->vrf_add_size || d->vrf_add_size == release_fact(release, SIZE_VRF_ADD));
}

/* The first column that fits, N_RELEASES if none does. */
static enum release candidate(const struct detect *d)
{
	enum release release = 0;

	while (release < N_RELEASES && !fits(d, release))
		release++;
	return release;
}

static enum detect_verdict refuse(struct detect *d)
{
	FILE *out = fmemopen(d->text, sizeof(d->text), "w");

	d->text[0] = '\0';
	if (!out)
		return DETECT_REFUSED;
	fprintf(out, "zebra is of a release that is not known: ERROR is message %u", d->error);
	if (d->hello)
		fprintf(out, ", HELLO %u", d->hello);
	if (d->capabilities_size)
		fprintf(out, ", CAPABILITIES has %u octets", d->capabilities_size);
	if (d->vrf_add)
		fprintf(out, ", VRF_ADD is %u with %u octets", d->vrf_add, d->vrf_add_size);
	fclose(out);
	return DETECT_REFUSED;
}

static enum detect_verdict greet(struct detect *d, enum release release, struct writer *w)
{
	d->stage = DETECT_GREETING;
	d->hello = release_fact(release, MSG_HELLO);
	wire_write_hello(w, release, 0, 0);
	return DETECT_MORE;
}

void detect_begin(struct detect *d, struct writer *w)
{
	*d = (struct detect){.release = N_RELEASES};
	wire_write_probe(w);
}

static enum detect_verdict take_probe_answer(
	struct detect *d, const struct wire_frame *frame, struct writer *w)
{
	enum release release;

	if (frame->vrf != WIRE_NO_VRF)
		return DETECT_MORE;
	d->error = frame->command;
	release = candidate(d);
	if (!wire_is_probe_answer(frame) || release == N_RELEASES)
		return refuse(d);
	return greet(d, release, w);
}

/* zebra has no handler for our HELLO: is there a line with another one? */
static enum detect_verdict greet_again(struct detect *d, struct writer *w)
{
	for (enum release release = 0; release < N_RELEASES; release++) {
		if (release_fact(release, MSG_ERROR) == d->error &&
			release_fact(release, MSG_HELLO) > d->hello)
			return greet(d, release, w);
	}
	return refuse(d);
}

static enum detect_verdict take_capabilities(
	struct detect *d, const struct wire_frame *frame, struct writer *w)
{
	enum release said = candidate(d);
	uint32_t code;

	if (frame->command == d->error && wire_read_error(frame->body, &code))
		return code == WIRE_ERROR_NO_COMMAND ? greet_again(d, w) : refuse(d);
	if (frame->command != release_fact(said, MSG_CAPABILITIES) || frame->vrf != 0)
		return DETECT_MORE;
	d->stage = DETECT_NAMING;
	d->capabilities_size = (uint16_t)rd_left(&frame->body);
	return d->capabilities_size && candidate(d) != N_RELEASES ? DETECT_MORE : refuse(d);
}

/* Whether it could be VRF_ADD on any line, going by number and by size. */
static bool is_any_vrf_add(const struct wire_frame *frame)
{
	bool number = false, size = false;

	for (enum release release = 0; release < N_RELEASES; release++) {
		number |= frame->command == release_fact(release, MSG_VRF_ADD);
		size |= rd_left(&frame->body) == release_fact(release, SIZE_VRF_ADD);
	}
	return number && size;
}

/* The default VRF is told first. Under another line's number, that is a contradiction, too. */
static enum detect_verdict take_vrf(struct detect *d, const struct wire_frame *frame)
{
	enum release expected = candidate(d);

	if (frame->vrf != 0 ||
		(frame->command != release_fact(expected, MSG_VRF_ADD) && !is_any_vrf_add(frame)))
		return DETECT_MORE;
	d->vrf_add = frame->command;
	d->vrf_add_size = (uint16_t)rd_left(&frame->body);
	d->release = candidate(d);
	return d->vrf_add_size && d->release != N_RELEASES ? DETECT_FOUND : refuse(d);
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

const char *detect_silence(struct detect *d)
{
	static const char *const awaited[] = {
		[DETECT_PROBING] = "the probe",
		[DETECT_GREETING] = "HELLO",
		[DETECT_NAMING] = "HELLO with its default VRF",
	};

	snprintf(d->text, sizeof(d->text), "zebra did not answer %s in time", awaited[d->stage]);
	return d->text;
}
