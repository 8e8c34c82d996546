/* SPDX-License-Identifier: Apache-2.0 */
/* All certificates are of one key: what is wrong with a bad one is only what it says. */
#include "fake_tls.h"

#include <check.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>

#include <cosmolet/mem.h>

#define HOUR 3600L

static const struct {
	const char *names;
	const char *purpose;
	bool by_stranger;
	long from_s, to_s;
} recipes[] = {
	[FAKE_GOOD] = {"IP:127.0.0.1", "serverAuth", false, -HOUR, HOUR},
	[FAKE_EXPIRED] = {"IP:127.0.0.1", "serverAuth", false, -2 * HOUR, -HOUR},
	[FAKE_EARLY] = {"IP:127.0.0.1", "serverAuth", false, HOUR, 2 * HOUR},
	[FAKE_OF_ANOTHER_NAME] = {"IP:127.0.0.2,DNS:somebody.else.example", "serverAuth", false,
		-HOUR, HOUR},
	[FAKE_OF_A_CLIENT] = {"IP:127.0.0.1", "clientAuth", false, -HOUR, HOUR},
	[FAKE_OF_A_STRANGER] = {"IP:127.0.0.1", "serverAuth", true, -HOUR, HOUR},
};

struct authority {
	EVP_PKEY *key;
	X509 *certificate;
};

struct fake_tls {
	EVP_PKEY *key;
	struct authority known, stranger;
	SSL_CTX *context;
};

static void must(bool fine)
{
	if (!fine)
		ck_abort_msg("OpenSSL: %s", ERR_error_string(ERR_get_error(), NULL));
}

static EVP_PKEY *make_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	must(key != NULL);
	return key;
}

/* Without issuer and signature. */
static X509 *make_draft(EVP_PKEY *key, const char *name, long from_s, long to_s)
{
	X509 *draft = X509_new();

	must(draft != NULL);
	must(X509_set_version(draft, X509_VERSION_3));
	must(ASN1_INTEGER_set(X509_get_serialNumber(draft), 1));
	must(X509_gmtime_adj(X509_getm_notBefore(draft), from_s) != NULL);
	must(X509_gmtime_adj(X509_getm_notAfter(draft), to_s) != NULL);
	must(X509_set_pubkey(draft, key));
	must(X509_NAME_add_entry_by_txt(X509_get_subject_name(draft), "CN", MBSTRING_ASC,
		(const unsigned char *)name, -1, -1, 0));
	return draft;
}

static void extend(X509 *draft, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	must(extension != NULL);
	must(X509_add_ext(draft, extension, -1));
	X509_EXTENSION_free(extension);
}

static void issue(X509 *draft, X509 *issuer, EVP_PKEY *key)
{
	must(X509_set_issuer_name(draft, X509_get_subject_name(issuer)));
	must(X509_sign(draft, key, EVP_sha256()) > 0);
}

static struct authority make_authority(const char *name)
{
	EVP_PKEY *key = make_key();
	X509 *draft = make_draft(key, name, -4 * HOUR, 4 * HOUR);

	extend(draft, NID_basic_constraints, "critical,CA:TRUE");
	issue(draft, draft, key);
	return (struct authority){key, draft};
}

static void authority_deinit(struct authority *authority)
{
	EVP_PKEY_free(authority->key);
	X509_free(authority->certificate);
}

struct fake_tls *fake_tls_new(void)
{
	struct fake_tls *tls = xcalloc(1, sizeof(*tls));

	tls->key = make_key();
	tls->known = make_authority("known");
	tls->stranger = make_authority("stranger");
	fake_tls_present(tls, FAKE_GOOD);
	return tls;
}

struct fake_tls *fake_tls_free(struct fake_tls *tls)
{
	if (!tls)
		return NULL;
	SSL_CTX_free(tls->context);
	authority_deinit(&tls->known);
	authority_deinit(&tls->stranger);
	EVP_PKEY_free(tls->key);
	free(tls);
	return NULL;
}

void fake_tls_present(struct fake_tls *tls, enum fake_certificate which)
{
	const struct authority *by = recipes[which].by_stranger ? &tls->stranger : &tls->known;
	X509 *shown = make_draft(tls->key, "server", recipes[which].from_s, recipes[which].to_s);

	extend(shown, NID_subject_alt_name, recipes[which].names);
	extend(shown, NID_ext_key_usage, recipes[which].purpose);
	issue(shown, by->certificate, by->key);
	SSL_CTX_free(tls->context);
	tls->context = SSL_CTX_new(TLS_server_method());
	must(tls->context != NULL);
	must(SSL_CTX_use_certificate(tls->context, shown));
	must(SSL_CTX_use_PrivateKey(tls->context, tls->key));
	SSL_CTX_set_mode(
		tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	X509_free(shown);
}

char *fake_tls_authority(const struct fake_tls *tls)
{
	BIO *pem = BIO_new(BIO_s_mem());
	char *text, *encoded;
	long size;

	must(pem && PEM_write_bio_X509(pem, tls->known.certificate));
	size = BIO_get_mem_data(pem, &text);
	encoded = xmalloc((size_t)size / 3 * 4 + 5);
	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text, (int)size);
	BIO_free(pem);
	return encoded;
}

SSL *fake_tls_accept(struct fake_tls *tls, int fd)
{
	SSL *ssl = SSL_new(tls->context);

	must(ssl && SSL_set_fd(ssl, fd));
	SSL_set_accept_state(ssl);
	return ssl;
}
