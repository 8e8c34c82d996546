/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of OpenSSL. (civetweb's own TLS is of no use: Debian's is built for OpenSSL 1.1, and looks
 * for a function that OpenSSL 3 has no more.)
 *
 * Files are read whole, compared, and made into a new SSL_CTX, which is used only if all of it is
 * good. Sessions hold the one that they began with.
 */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include <cosmolet/yaml.h>

#define FILE_MAX_BYTES (1u << 20)
#define MANY           1024 /* certificates in a file */

enum part { CERTIFICATE, KEY, CLIENT_CA, N_PARTS };

static const char *const part_keys[] = {
	[CERTIFICATE] = "http.tls_certificate_file",
	[KEY] = "http.tls_key_file",
	[CLIENT_CA] = "http.client_ca_file",
};

struct text {
	char *data; /* NULL: there is no such file */
	size_t size;
};

struct tls {
	char *paths[N_PARTS];
	struct text texts[N_PARTS]; /* that context was made of; the loop's alone */
	int64_t expires;
	pthread_mutex_t lock; /* over context */
	SSL_CTX *context;
};

struct tls_session {
	SSL *ssl;
};

DEFINE_AUTO(bio, BIO *, BIO_free)
DEFINE_AUTO(x509, X509 *, X509_free)
DEFINE_AUTO(pkey, EVP_PKEY *, EVP_PKEY_free)
DEFINE_AUTO(ctx, SSL_CTX *, SSL_CTX_free)

/* Files */

static void texts_clear(struct text texts[N_PARTS])
{
	for (size_t i = 0; i < N_PARTS; i++) {
		if (texts[i].data)
			explicit_bzero(texts[i].data, texts[i].size);
		free(texts[i].data);
		texts[i] = (struct text){0};
	}
}

static int texts_read(char *const paths[N_PARTS], struct text out[N_PARTS], char **out_error)
{
	for (size_t i = 0; i < N_PARTS; i++) {
		int r = paths[i] ? file_read(paths[i], FILE_MAX_BYTES, &out[i].data, &out[i].size)
				 : 0;

		if (r < 0) {
			*out_error = xasprintf("%s: %s: %s", part_keys[i], paths[i], strerror(-r));
			texts_clear(out);
			return -EINVAL;
		}
	}
	return 0;
}

static bool texts_equal(const struct text a[N_PARTS], const struct text b[N_PARTS])
{
	for (size_t i = 0; i < N_PARTS; i++) {
		if (a[i].size != b[i].size ||
			(a[i].size && memcmp(a[i].data, b[i].data, a[i].size) != 0))
			return false;
	}
	return true;
}

/* From PEM */

/* "key: path: what", and OpenSSL's own reason if it has one. */
static int refuse(char *const paths[N_PARTS], enum part part, const char *what, char **out_error)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	*out_error = xasprintf("%s: %s: %s%s%s%s", part_keys[part], paths[part], what,
		reason ? " (" : "", reason ? reason : "", reason ? ")" : "");
	ERR_clear_error();
	return -EINVAL;
}

static BIO *open_text(const struct text *text)
{
	ERR_clear_error();
	return BIO_new_mem_buf(text->data, (int)text->size);
}

/* A daemon has nobody to ask. */
static int no_passphrase(char *out, int size, int writes, void *data)
{
	(void)out;
	(void)size;
	(void)writes;
	(void)data;
	return -1;
}

static X509 *next_certificate(BIO *bio)
{
	X509 *certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);

	if (!certificate && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		ERR_clear_error(); /* the end of the file, or of what it has */
	return certificate;
}

static int64_t expiry_of(const X509 *certificate)
{
	struct tm tm = {0};

	return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) ? (int64_t)timegm(&tm) : 0;
}

static int add_certificates(SSL_CTX *context, char *const paths[N_PARTS], const struct text *text,
	const struct text *key_text, int64_t *out_expires, char **out_error)
{
	AUTO(bio) BIO *bio = open_text(text);
	AUTO(x509) X509 *leaf = next_certificate(bio);
	AUTO(bio) BIO *key_bio = NULL;
	AUTO(pkey) EVP_PKEY *key = NULL;
	X509 *more;

	if (!leaf)
		return refuse(paths, CERTIFICATE, "holds no certificate in PEM", out_error);
	key_bio = open_text(key_text);
	key = PEM_read_bio_PrivateKey(key_bio, NULL, no_passphrase, NULL);
	if (!key)
		return refuse(
			paths, KEY, "holds no private key in PEM without a passphrase", out_error);
	ERR_clear_error();
	if (X509_check_private_key(leaf, key) != 1) {
		ERR_clear_error();
		return refuse(paths, KEY, "is not the key of http.tls_certificate_file", out_error);
	}
	if (SSL_CTX_use_certificate(context, leaf) != 1)
		return refuse(paths, CERTIFICATE, "cannot be used", out_error);
	if (SSL_CTX_use_PrivateKey(context, key) != 1)
		return refuse(paths, KEY, "cannot be used", out_error);
	for (size_t i = 0; i < MANY && (more = next_certificate(bio)); i++) {
		if (SSL_CTX_add0_chain_cert(context, more) != 1) {
			X509_free(more);
			return refuse(paths, CERTIFICATE, "cannot be used", out_error);
		}
	}
	if (ERR_peek_last_error())
		return refuse(paths, CERTIFICATE, "is damaged", out_error);
	*out_expires = expiry_of(leaf);
	return 0;
}

/* The peer has proven that it has the key of what it shows; whether that is good is asked here. */
static int verify_client(X509_STORE_CTX *store, void *data)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	X509 *shown = X509_STORE_CTX_get0_cert(store), *own = SSL_get_certificate(ssl);

	(void)data;
	if (!shown || !own || X509_cmp(shown, own) != 0)
		return X509_verify_cert(store);
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static int add_client_ca(
	SSL_CTX *context, char *const paths[N_PARTS], const struct text *text, char **out_error)
{
	AUTO(bio) BIO *bio = open_text(text);
	X509 *ca;
	size_t n = 0;

	for (; n < MANY && (ca = next_certificate(bio)); n++) {
		bool good = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca) == 1 &&
			    SSL_CTX_add_client_CA(context, ca) == 1;

		X509_free(ca);
		if (!good)
			return refuse(paths, CLIENT_CA, "cannot be used", out_error);
	}
	if (n == 0 || ERR_peek_last_error())
		return refuse(paths, CLIENT_CA, n ? "is damaged" : "holds no certificate in PEM",
			out_error);
	/* Optional, as kubelet has none: what needs one is for http.c to say. */
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(context, verify_client, NULL);
	return 0;
}

static SSL_CTX *new_context(const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (!context)
		abort(); /* no memory */
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(
		context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS);
	return context;
}

static SSL_CTX *make_context(char *const paths[N_PARTS], const struct text texts[N_PARTS],
	int64_t *out_expires, char **out_error)
{
	AUTO(ctx) SSL_CTX *context = new_context(TLS_server_method());

	if (add_certificates(
		    context, paths, &texts[CERTIFICATE], &texts[KEY], out_expires, out_error) < 0)
		return NULL;
	if (texts[CLIENT_CA].data &&
		add_client_ca(context, paths, &texts[CLIENT_CA], out_error) < 0)
		return NULL;
	return TAKE(context);
}

/* Life */

int tls_reload(struct tls *tls, char **out_error)
{
	struct text texts[N_PARTS] = {0};
	SSL_CTX *context, *before;
	int64_t expires = 0;

	if (texts_read(tls->paths, texts, out_error) < 0)
		return -EINVAL;
	if (tls->context && texts_equal(texts, tls->texts)) {
		texts_clear(texts);
		return 0;
	}
	context = make_context(tls->paths, texts, &expires, out_error);
	if (!context) {
		texts_clear(texts);
		return -EINVAL;
	}
	texts_clear(tls->texts);
	memcpy(tls->texts, texts, sizeof(texts));
	tls->expires = expires;
	pthread_mutex_lock(&tls->lock);
	before = tls->context;
	tls->context = context;
	pthread_mutex_unlock(&tls->lock);
	SSL_CTX_free(before);
	return 1;
}

int tls_new(const struct tls_files *files, struct tls **out, char **out_error)
{
	struct tls *tls = xcalloc(1, sizeof(*tls));

	pthread_mutex_init(&tls->lock, NULL);
	str_set(&tls->paths[CERTIFICATE], files->certificate);
	str_set(&tls->paths[KEY], files->key);
	str_set(&tls->paths[CLIENT_CA], files->client_ca);
	if (tls_reload(tls, out_error) < 0) {
		tls_free(tls);
		return -EINVAL;
	}
	*out = tls;
	return 0;
}

int64_t tls_expires(const struct tls *tls)
{
	return tls->expires;
}

struct tls *tls_free(struct tls *tls)
{
	if (!tls)
		return NULL;
	texts_clear(tls->texts);
	for (size_t i = 0; i < N_PARTS; i++)
		free(tls->paths[i]);
	SSL_CTX_free(tls->context);
	pthread_mutex_destroy(&tls->lock);
	free(tls);
	return NULL;
}

/* Sessions */

static struct tls_session *session_new(SSL *ssl, int fd)
{
	struct tls_session *session;

	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	session = xcalloc(1, sizeof(*session));
	session->ssl = ssl;
	return session;
}

struct tls_session *tls_accept(struct tls *tls, int fd)
{
	struct tls_session *session;

	pthread_mutex_lock(&tls->lock);
	session = session_new(SSL_new(tls->context), fd);
	pthread_mutex_unlock(&tls->lock);
	if (session)
		SSL_set_accept_state(session->ssl);
	return session;
}

static int outcome(const struct tls_session *session, int r, uint32_t *out_events)
{
	switch (SSL_get_error(session->ssl, r)) {
	case SSL_ERROR_WANT_READ: *out_events = EPOLLIN; return -EAGAIN;
	case SSL_ERROR_WANT_WRITE: *out_events = EPOLLOUT; return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN: return 0;
	default: return -EIO;
	}
}

int tls_shake(struct tls_session *session, uint32_t *out_events)
{
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(session->ssl);
	if (r == 1)
		return 0;
	r = outcome(session, r, out_events);
	return r == 0 ? -EIO : r;
}

ssize_t tls_read(struct tls_session *session, void *to, size_t size, uint32_t *out_events)
{
	int r;

	ERR_clear_error();
	r = SSL_read(session->ssl, to, (int)MIN(size, (size_t)INT32_MAX));
	return r > 0 ? r : outcome(session, r, out_events);
}

ssize_t tls_write(struct tls_session *session, const void *from, size_t size, uint32_t *out_events)
{
	int r;

	ERR_clear_error();
	r = SSL_write(session->ssl, from, (int)MIN(size, (size_t)INT32_MAX));
	return r > 0 ? r : outcome(session, r, out_events);
}

bool tls_is_known(const struct tls_session *session)
{
	return SSL_get_verify_mode(session->ssl) != SSL_VERIFY_NONE &&
	       SSL_get0_peer_certificate(session->ssl) &&
	       SSL_get_verify_result(session->ssl) == X509_V_OK;
}

struct tls_session *tls_close(struct tls_session *session)
{
	if (!session)
		return NULL;
	ERR_clear_error();
	if (SSL_is_init_finished(session->ssl))
		(void)SSL_shutdown(session->ssl); /* the other side may have gone: no matter */
	SSL_free(session->ssl);
	free(session);
	return NULL;
}

/* The command line */

/* It shows the server's own certificate, and accepts no other. */
int tls_connect(const struct tls_files *files, int fd, struct tls_session **out, char **out_error)
{
	char *const paths[] = {xstrdup(files->certificate), xstrdup(files->key), NULL};
	AUTO(ctx) SSL_CTX *context = new_context(TLS_client_method());
	struct text texts[N_PARTS] = {0};
	struct tls_session *session = NULL;
	int64_t expires;
	int r = texts_read(paths, texts, out_error);

	if (r == 0)
		r = add_certificates(
			context, paths, &texts[CERTIFICATE], &texts[KEY], &expires, out_error);
	texts_clear(texts);
	free(paths[CERTIFICATE]);
	free(paths[KEY]);
	if (r < 0)
		return -EIO;
	session = session_new(SSL_new(context), fd);
	if (!session || SSL_connect(session->ssl) != 1) {
		*out_error = xstrdup("it does not agree on TLS, which http.tls_certificate_file "
				     "asks for");
	} else if (X509_cmp(SSL_get0_peer_certificate(session->ssl),
			   SSL_get_certificate(session->ssl)) != 0) {
		*out_error = xstrdup("it shows another certificate than that of "
				     "http.tls_certificate_file");
	} else {
		*out = session;
		return 0;
	}
	tls_close(session);
	return -EIO;
}
