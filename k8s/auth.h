/* SPDX-License-Identifier: Apache-2.0 */
/* Where the API server is, who it must be, and who we are to it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cosmolet/k8s.h>

#define AUTH_FILE_MAX (1u << 20)

/* A text that lives in a file, which others replace while we run, or that was given in place. */
struct secret {
	char *path; /* NULL: given in place, or not at all */
	char *text; /* NULL: none */
	struct stat seen;
};

/* Embedded in the source. Strings that are not given are NULL. */
struct auth {
	char *server;   /* "https://10.96.0.1:443", without a slash at the end */
	char **servers; /* of which server is the current one; none: there is only that */
	size_t n_servers;
	size_t current;
	char *tls_server_name;
	char *proxy;
	bool insecure; /* the server's certificate is not verified */
	struct secret ca;
	struct secret token;
	struct secret certificate;
	struct secret key;
	char *description;
	char *warning;
};

/*
 * Reads the kubeconfig of the options, or what the kubelet puts into a pod. 0 and *out filled; or
 * -EINVAL, *out untouched, and *out_error for free().
 */
must_check int auth_init(struct auth *out, const struct k8s_options *options, char **out_error);
/* Zeroed is fine. */
void auth_deinit(struct auth *auth);

/* Reads the files again that have changed. What cannot be read stays as it was. */
void auth_refresh(struct auth *auth);
/* The server did not take the token: reads its file whether it seems changed or not. */
void auth_refused(struct auth *auth);

/* The server with this index is no good: goes on to the next, unless somebody already has. */
void auth_next_server(struct auth *auth, size_t failed);

/* Why a file could not be read (a negative errno), and by whom. For free(). */
char *auth_file_fault(const char *path, int error);

/* Shared with kubeconfig.c: 0 with *out filled, or a negative errno. Takes the path. */
must_check int secret_open(struct secret *out, char *path);
void secret_deinit(struct secret *secret);
