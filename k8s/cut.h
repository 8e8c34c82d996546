/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts the JSON of a list or of a watch into its objects while it arrives. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cosmolet/mem.h>

#define CUT_OBJECT_MAX (16u << 20) /* etcd takes 1.5 MiB; JSON may be several times as large */
#define CUT_ENDLESS    8           /* as many times too large: it is not meant to end */
#define CUT_DEPTH_MAX  96          /* of a Pod: about 15 */

enum cut_shape {
	CUT_LIST,  /* one object whose "items" are the objects */
	CUT_WATCH, /* objects one after the other */
};

enum cut_piece {
	CUT_OBJECT,   /* an element of items, or an object of the watch */
	CUT_METADATA, /* the metadata of the list */
	CUT_TOO_LARGE /* an object was passed over; text: how it began */
};

/*
 * Gets each piece, its text borrowed and followed by a NUL. Values of heavy keys that nobody reads
 * are null in it. false: enough, which ends the feeding.
 */
typedef bool cut_fn(void *data, enum cut_piece piece, const char *text, size_t size);

struct cut {
	enum cut_shape shape;
	cut_fn *fn;
	void *data;
	size_t max;
	/* where we are */
	unsigned depth;
	char stack[CUT_DEPTH_MAX];
	uint8_t mode;    /* what happens to the bytes */
	uint8_t want;    /* what may come next outside of pieces */
	uint8_t member;  /* the one of the list whose value comes */
	uint8_t section; /* the one of the object we are in */
	bool in_string;
	bool escaped;
	bool key_next; /* the next string of this object is a key */
	bool is_key;   /* this string is one */
	bool items;    /* the list had them */
	unsigned base; /* the depth around the piece */
	unsigned skip; /* the depth around the value that is left out */
	size_t key_at; /* where in text the key begins */
	/* the piece so far */
	char *text;
	size_t size;
	size_t room;
	size_t seen; /* octets of the piece, kept or dropped */
	char error[160];
};

/* max: octets of one object; 0: CUT_OBJECT_MAX. */
void cut_init(struct cut *cut, enum cut_shape shape, size_t max, cut_fn *fn, void *data);
/* Zeroed is fine. */
void cut_deinit(struct cut *cut);

/*
 * Takes the next bytes. 0; -ECANCELED: the function had enough; -EBADMSG: no JSON of this shape,
 * see error. After a failure nothing more may be fed.
 */
must_check int cut_feed(struct cut *cut, const char *bytes, size_t n);
/* After the last byte: 0, or -EBADMSG if something is missing, see error. */
must_check int cut_end(struct cut *cut);
