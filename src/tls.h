/* SPDX-License-Identifier: Apache-2.0 */
/* All of OpenSSL: TLS 1.2 and later, for the server inside the daemon and for the command line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <cosmolet/mem.h>

/* PEM files, as the configuration names them. */
struct tls_files {
	const char *certificate; /* with what leads to its CA; NULL: no TLS */
	const char *key;
	const char *client_ca; /* whose certificates clients may show; NULL: none is asked for */
};

/* What the server shows, and whom it knows: as the files had it when they were last good. */
struct tls;

/* 0 and *out for tls_free(); or -EINVAL and *out_error, for free(), which names key and file. */
must_check int tls_new(const struct tls_files *files, struct tls **out, char **out_error);
/*
 * Reads the files again. 1: another content, in use from now on; 0: the same; -EINVAL and
 * *out_error (for free()): what was good last stays in use.
 */
must_check int tls_reload(struct tls *tls, char **out_error);
/* When the certificate expires, in seconds since 1970. */
int64_t tls_expires(const struct tls *tls);
/* Accepts NULL, returns NULL. Sessions may outlive it. */
struct tls *tls_free(struct tls *tls);

/* One connection; those who use it may do so on another thread than the one that reloads. */
struct tls_session;

/* fd is not owned and must not block. NULL: there is no memory. */
struct tls_session *tls_accept(struct tls *tls, int fd);
/*
 * 0: the two agree. -EAGAIN: come back when fd is ready for *out_events. -EIO: they never will.
 */
must_check int tls_shake(struct tls_session *session, uint32_t *out_events);
/* Octets moved, 0 at the end; or as above. */
must_check ssize_t tls_read(
	struct tls_session *session, void *to, size_t size, uint32_t *out_events);
must_check ssize_t tls_write(
	struct tls_session *session, const void *from, size_t size, uint32_t *out_events);
/*
 * Whether the client has shown a certificate of client_ca, or the server's own, whose key only
 * those have who might as well be the server: this lets the command line in.
 */
bool tls_is_known(const struct tls_session *session);
/* Says goodbye if that can be done at once. Accepts NULL, returns NULL. */
struct tls_session *tls_close(struct tls_session *session);

/*
 * The other side, on a socket that blocks: talks to a server that shows just the certificate of the
 * files. 0 and *out; or -EIO and *out_error, for free().
 */
must_check int tls_connect(
	const struct tls_files *files, int fd, struct tls_session **out, char **out_error);
