/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for the fake API server, with certificates of its own making, good and bad. */
#pragma once

#include <openssl/ssl.h>

enum fake_certificate {
	FAKE_GOOD,
	FAKE_EXPIRED,
	FAKE_EARLY, /* not valid yet */
	FAKE_OF_ANOTHER_NAME,
	FAKE_OF_A_CLIENT,   /* by the right authority, but to show to a server */
	FAKE_OF_A_STRANGER, /* by an authority that nobody knows */
};

struct fake_tls;

/* Shows a good one. Never NULL; fails the test if OpenSSL does not work. */
struct fake_tls *fake_tls_new(void);
/* Accepts NULL, returns NULL. */
struct fake_tls *fake_tls_free(struct fake_tls *tls);

/* To new connections from now on. None of them is resumed from one before. */
void fake_tls_present(struct fake_tls *tls, enum fake_certificate which);

/* The authority that clients are to know, as base64 of PEM, for free(). */
char *fake_tls_authority(const struct fake_tls *tls);

/* The server's side of a new connection, which fd stays open for; for SSL_free(). */
SSL *fake_tls_accept(struct fake_tls *tls, int fd);
