/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_tls.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "snooper/base/cleanup.h"
#include "snooper/rpc/grpc_method.h"

#define MAX_CHAIN	4  /* certificates between the client's and the authority's */
#define MAX_KEY_UPDATES 16 /* one is due in hundreds of gigabytes; each costs us more than them */

struct grpc_tls {
	SSL_CTX *ctx;
	char **admins;
	size_t n_admins;
};

struct grpc_tls_link {
	struct grpc_tls *tls;
	SSL *ssl;
	unsigned int key_updates;
	bool done, failed;
};

/* RFC 7301: a client that does not offer h2 speaks something else. */
static int select_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		     const unsigned char *in, unsigned int in_len, void *arg)
{
	for (unsigned int i = 0; i < in_len; i += 1u + in[i]) {
		if (in[i] == 2 && i + 2 < in_len && in[i + 1] == 'h' && in[i + 2] == '2') {
			*out = in + i + 1;
			*out_len = 2;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int set_rules(SSL_CTX *ctx)
{
	SSL_CTX_set_alpn_select_cb(ctx, select_h2, NULL);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_verify_depth(ctx, MAX_CHAIN);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	/* One record a call: a stream of records without data must not hold the loop. */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) &&
	       SSL_CTX_set_num_tickets(ctx, 0);
}

/* What OpenSSL says of a failure, without its numbers: the first is the cause. */
static void said(char why[static GRPC_TLS_TEXT], const char *what)
{
	unsigned long error = ERR_peek_error();
	const char *reason = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error))
						     : ERR_reason_error_string(error);

	snprintf(why, GRPC_TLS_TEXT, "%.180s: %.60s", what, reason ? reason : "cannot be used");
	ERR_clear_error();
}

static int
read_files(SSL_CTX *ctx, const struct grpc_tls_conf *conf, char why[static GRPC_TLS_TEXT])
{
	STACK_OF(X509_NAME) * names;

	ERR_clear_error();
	names = SSL_load_client_CA_file(conf->ca);
	if (!names || !SSL_CTX_load_verify_locations(ctx, conf->ca, NULL)) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		said(why, conf->ca);
		return -EINVAL;
	}
	SSL_CTX_set_client_CA_list(ctx, names); /* taken */
	if (SSL_CTX_use_certificate_chain_file(ctx, conf->certificate) != 1) {
		said(why, conf->certificate);
		return -EINVAL;
	}
	if (SSL_CTX_use_PrivateKey_file(ctx, conf->key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1) {
		said(why, conf->key);
		return -EINVAL;
	}
	return 0;
}

static int copy_admins(struct grpc_tls *t, const struct grpc_tls_conf *conf)
{
	t->admins = calloc(conf->n_admins ? conf->n_admins : 1, sizeof(char *));
	if (!t->admins)
		return -ENOMEM;
	for (; t->n_admins < conf->n_admins; t->n_admins++) {
		t->admins[t->n_admins] = strdup(conf->admins[t->n_admins]);
		if (!t->admins[t->n_admins])
			return -ENOMEM;
	}
	return 0;
}

static void freep(struct grpc_tls **t)
{
	grpc_tls_free(*t);
}

/* A key with a passphrase: nobody is there to type it. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	return -1;
}

int grpc_tls_new(const struct grpc_tls_conf *conf, char why[static GRPC_TLS_TEXT],
		 struct grpc_tls **out)
{
	SNP_CLEANUP(freep)
	struct grpc_tls *t = calloc(1, sizeof(*t));
	int err;

	snprintf(why, GRPC_TLS_TEXT, "out of memory");
	if (!t || copy_admins(t, conf))
		return -ENOMEM;
	t->ctx = SSL_CTX_new(TLS_server_method());
	if (!t->ctx || !set_rules(t->ctx))
		return -ENOMEM;
	SSL_CTX_set_default_passwd_cb(t->ctx, no_passphrase);
	err = read_files(t->ctx, conf, why);
	if (err)
		return err;
	*out = snp_take(&t);
	return 0;
}

void grpc_tls_free(struct grpc_tls *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_admins; i++)
		free(t->admins[i]);
	free(t->admins);
	SSL_CTX_free(t->ctx);
	free(t);
}

void grpc_tls_become_take(struct grpc_tls *t, struct grpc_tls *by)
{
	struct grpc_tls was = *t;

	*t = *by;
	*by = was;
	grpc_tls_free(by);
}

static void
on_message(int writing, int version, int type, const void *bytes, size_t n, SSL *ssl, void *arg)
{
	struct grpc_tls_link *l = arg;

	if (!writing && type == SSL3_RT_HANDSHAKE && n &&
	    *(const uint8_t *)bytes == SSL3_MT_KEY_UPDATE)
		l->key_updates++;
}

int grpc_tls_link_new(struct grpc_tls *t, int fd, struct grpc_tls_link **out)
{
	struct grpc_tls_link *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->tls = t;
	l->ssl = SSL_new(t->ctx);
	if (!l->ssl || !SSL_set_fd(l->ssl, fd)) {
		grpc_tls_link_free(l);
		return -ENOMEM;
	}
	SSL_set_accept_state(l->ssl);
	SSL_set_msg_callback(l->ssl, on_message);
	SSL_set_msg_callback_arg(l->ssl, l);
	*out = l;
	return 0;
}

void grpc_tls_link_free(struct grpc_tls_link *l)
{
	if (!l)
		return;
	ERR_clear_error();
	if (l->ssl && l->done && !l->failed)
		SSL_shutdown(l->ssl);
	SSL_free(l->ssl);
	ERR_clear_error();
	free(l);
}

/* The one common name of the certificate, or NULL. Two of them could mean either. */
static char *common_name(const X509 *certificate)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	char *name;
	int n;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return NULL;
	n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (n < 0)
		return NULL;
	/* A name that ends early must not pass for a shorter one. */
	name = memchr(utf8, 0, (size_t)n) ? NULL : strndup((char *)utf8, (size_t)n);
	OPENSSL_free(utf8);
	return name;
}

static unsigned int rights_of(const struct grpc_tls *t, const X509 *certificate)
{
	SNP_CLEANUP(snp_freep)
	char *name = common_name(certificate);

	for (size_t i = 0; name && i < t->n_admins; i++)
		if (!strcmp(name, t->admins[i]))
			return GRPC_MAY_READ | GRPC_MAY_CHANGE;
	return GRPC_MAY_READ;
}

/* OpenSSL has verified; this asks once more for what everything rests on. */
static enum grpc_tls_step
finish(struct grpc_tls_link *l, unsigned int *rights, char why[static GRPC_TLS_TEXT])
{
	const X509 *certificate = SSL_get0_peer_certificate(l->ssl);
	const unsigned char *alpn = NULL;
	unsigned int n = 0;

	SSL_get0_alpn_selected(l->ssl, &alpn, &n);
	if (n != 2 || memcmp(alpn, "h2", 2)) {
		snprintf(why, GRPC_TLS_TEXT, "does not offer HTTP/2 (ALPN h2)");
		return GRPC_TLS_FAILED;
	}
	if (!certificate || SSL_get_verify_result(l->ssl) != X509_V_OK) {
		snprintf(why, GRPC_TLS_TEXT, "no verified certificate");
		return GRPC_TLS_FAILED;
	}
	*rights = rights_of(l->tls, certificate);
	l->done = true;
	return GRPC_TLS_DONE;
}

static void explain(struct grpc_tls_link *l, int error, char why[static GRPC_TLS_TEXT])
{
	long verified = SSL_get_verify_result(l->ssl);

	if (verified != X509_V_OK)
		snprintf(why, GRPC_TLS_TEXT, "certificate: %s",
			 X509_verify_cert_error_string(verified));
	else if (error == SSL_ERROR_SSL)
		said(why, "handshake");
	else
		snprintf(why, GRPC_TLS_TEXT, "the client hung up");
}

enum grpc_tls_step
grpc_tls_handshake(struct grpc_tls_link *l, unsigned int *rights, char why[static GRPC_TLS_TEXT])
{
	int r, error;

	ERR_clear_error();
	r = SSL_do_handshake(l->ssl);
	if (r == 1)
		return finish(l, rights, why);
	error = SSL_get_error(l->ssl, r);
	if (error == SSL_ERROR_WANT_READ)
		return GRPC_TLS_WANT_READ;
	if (error == SSL_ERROR_WANT_WRITE)
		return GRPC_TLS_WANT_WRITE;
	explain(l, error, why);
	l->failed = true;
	return GRPC_TLS_FAILED;
}

static long transferred(struct grpc_tls_link *l, int r)
{
	int error;

	if (l->key_updates > MAX_KEY_UPDATES) {
		l->failed = true;
		return -EPROTO;
	}
	if (r > 0)
		return r;
	error = SSL_get_error(l->ssl, r);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	l->failed = true;
	ERR_clear_error();
	return -EPROTO;
}

long grpc_tls_read(struct grpc_tls_link *l, uint8_t *bytes, size_t room)
{
	ERR_clear_error();
	return transferred(l, SSL_read(l->ssl, bytes, room < INT_MAX ? (int)room : INT_MAX));
}

long grpc_tls_write(struct grpc_tls_link *l, const uint8_t *bytes, size_t n)
{
	ERR_clear_error();
	return transferred(l, SSL_write(l->ssl, bytes, n < INT_MAX ? (int)n : INT_MAX));
}
