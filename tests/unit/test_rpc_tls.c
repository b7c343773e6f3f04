/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Handshakes over a socketpair, with certificates made here: who gets in, and with which rights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "snooper/rpc/grpc_method.h"
#include "snooper/rpc/grpc_tls.h"

#define TURNS 1000

/* A certificate and its key, in memory and as files. */
struct id {
	X509 *certificate;
	EVP_PKEY *key;
	char certificate_file[96], key_file[96];
};

struct fixture {
	char dir[64];
	struct id ca, node, other_ca;
};

static void write_files(struct id *id, const char *dir, const char *name)
{
	FILE *f;

	snprintf(id->certificate_file, sizeof(id->certificate_file), "%s/%s.pem", dir, name);
	snprintf(id->key_file, sizeof(id->key_file), "%s/%s.key", dir, name);
	f = fopen(id->certificate_file, "w");
	assert_true(f && PEM_write_X509(f, id->certificate));
	fclose(f);
	f = fopen(id->key_file, "w");
	assert_true(f && PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL));
	fclose(f);
}

/* by NULL: signed by itself, as an authority. names: common names, ends with NULL. */
static struct id make_id(const char *const *names, const struct id *by)
{
	struct id id = {X509_new(), EVP_EC_gen("P-256"), "", ""};
	X509_NAME *subject = X509_get_subject_name(id.certificate);
	static long serial;

	ASN1_INTEGER_set(X509_get_serialNumber(id.certificate), ++serial);
	X509_set_version(id.certificate, 2);
	X509_gmtime_adj(X509_getm_notBefore(id.certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(id.certificate), 3600);
	X509_set_pubkey(id.certificate, id.key);
	for (; *names; names++)
		X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)*names,
					   -1, -1, 0);
	X509_set_issuer_name(id.certificate, by ? X509_get_subject_name(by->certificate) : subject);
	if (!by) {
		X509_EXTENSION *is_ca =
			X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");

		assert_true(X509_add_ext(id.certificate, is_ca, -1));
		X509_EXTENSION_free(is_ca);
	}
	assert_true(X509_sign(id.certificate, by ? by->key : id.key, EVP_sha256()));
	return id;
}

static struct id make_named(const char *name, const struct id *by)
{
	const char *const names[] = {name, NULL};

	return make_id(names, by);
}

static void free_id(struct id *id)
{
	X509_free(id->certificate);
	EVP_PKEY_free(id->key);
	if (*id->key_file) {
		unlink(id->key_file);
		unlink(id->certificate_file);
	}
}

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	signal(SIGPIPE, SIG_IGN);
	strcpy(x->dir, "/tmp/snp-tls-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	x->ca = make_named("ca", NULL);
	x->node = make_named("node", &x->ca);
	x->other_ca = make_named("other", NULL);
	write_files(&x->ca, x->dir, "ca");
	write_files(&x->node, x->dir, "node");
	write_files(&x->other_ca, x->dir, "other");
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	free_id(&x->ca);
	free_id(&x->node);
	free_id(&x->other_ca);
	rmdir(x->dir);
	free(x);
	return 0;
}

static char *const admins[] = {"ops", "second"};

static struct grpc_tls_conf conf_of(const struct fixture *x)
{
	return (struct grpc_tls_conf){x->ca.certificate_file, x->node.certificate_file,
				      x->node.key_file, admins, 2};
}

static struct grpc_tls *server_of(const struct grpc_tls_conf *conf)
{
	char why[GRPC_TLS_TEXT];
	struct grpc_tls *t = NULL;

	assert_int_equal(grpc_tls_new(conf, why, &t), 0);
	return t;
}

struct pair {
	struct grpc_tls_link *server;
	SSL_CTX *ctx;
	SSL *client;
	int fd[2];
	enum grpc_tls_step step;
	unsigned int rights;
	char why[GRPC_TLS_TEXT];
};

/* id NULL: shows no certificate. alpn NULL: offers nothing. */
static void meet(struct pair *p, struct grpc_tls *t, const struct id *id, const char *alpn)
{
	memset(p, 0, sizeof(*p));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd), 0);
	assert_int_equal(grpc_tls_link_new(t, p->fd[0], &p->server), 0);
	p->ctx = SSL_CTX_new(TLS_client_method());
	if (id) {
		assert_int_equal(SSL_CTX_use_certificate(p->ctx, id->certificate), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(p->ctx, id->key), 1);
	}
	if (alpn)
		SSL_CTX_set_alpn_protos(p->ctx, (const uint8_t *)alpn, (unsigned int)strlen(alpn));
	p->client = SSL_new(p->ctx);
	SSL_set_fd(p->client, p->fd[1]);
	p->step = GRPC_TLS_WANT_READ;
	for (int i = 0; i < TURNS && p->step != GRPC_TLS_DONE && p->step != GRPC_TLS_FAILED; i++) {
		SSL_connect(p->client);
		p->step = grpc_tls_handshake(p->server, &p->rights, p->why);
	}
}

static void part(struct pair *p)
{
	grpc_tls_link_free(p->server);
	SSL_free(p->client);
	SSL_CTX_free(p->ctx);
	close(p->fd[0]);
	close(p->fd[1]);
}

#define H2 "\2h2"

static void certificate_reads_and_an_admins_changes(void **state)
{
	static const struct {
		const char *names[3];
		unsigned int rights;
	} rows[] = {
		{{"client"}, GRPC_MAY_READ},
		{{"ops"}, GRPC_MAY_READ | GRPC_MAY_CHANGE},
		{{"second"}, GRPC_MAY_READ | GRPC_MAY_CHANGE},
		{{"ops", "second"}, GRPC_MAY_READ},
		{{"x", "ops"}, GRPC_MAY_READ},
		{{"op"}, GRPC_MAY_READ},
		{{"opsx"}, GRPC_MAY_READ},
		{{"OPS"}, GRPC_MAY_READ},
		{{NULL}, GRPC_MAY_READ},
	};
	const struct grpc_tls_conf conf = conf_of(*state);
	struct grpc_tls *t = server_of(&conf);
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct id id = make_id(rows[i].names, &x->ca);
		struct pair p;

		meet(&p, t, &id, "\10http/1.1" H2);
		print_message("%s: %s\n", rows[i].names[0], p.why);
		assert_int_equal(p.step, GRPC_TLS_DONE);
		assert_int_equal(p.rights, rows[i].rights);
		part(&p);
		free_id(&id);
	}
	grpc_tls_free(t);
}

static void name_with_a_nul_is_nobodys(void **state)
{
	const struct grpc_tls_conf conf = conf_of(*state);
	struct grpc_tls *t = server_of(&conf);
	struct fixture *x = *state;
	struct id id = make_named("x", &x->ca);
	X509_NAME *subject = X509_get_subject_name(id.certificate);
	struct pair p;

	X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, 0));
	assert_true(X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING,
					       (const uint8_t *)"ops\0.evil", 9, -1, 0));
	assert_true(X509_sign(id.certificate, x->ca.key, EVP_sha256()));
	meet(&p, t, &id, H2);
	assert_int_equal(p.step, GRPC_TLS_DONE);
	assert_int_equal(p.rights, GRPC_MAY_READ);
	part(&p);
	free_id(&id);
	grpc_tls_free(t);
}

static void who_has_no_good_certificate_stays_outside(void **state)
{
	const struct grpc_tls_conf conf = conf_of(*state);
	struct grpc_tls *t = server_of(&conf);
	struct fixture *x = *state;
	struct id stranger = make_named("ops", &x->other_ca), late = make_named("ops", &x->ca);
	struct pair p;

	X509_gmtime_adj(X509_getm_notAfter(late.certificate), -60);
	X509_sign(late.certificate, x->ca.key, EVP_sha256());
	const struct {
		const struct id *id;
		const char *alpn, *why;
	} rows[] = {
		{NULL, H2, "did not return a certificate"},
		{&stranger, H2, "certificate: "},
		{&late, H2, "expired"},
		{&x->other_ca, H2, "certificate: "},
		{&x->node, "\10http/1.1", "handshake: "},
		{&x->node, NULL, "ALPN"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		meet(&p, t, rows[i].id, rows[i].alpn);
		print_message("%s\n", p.why);
		assert_int_equal(p.step, GRPC_TLS_FAILED);
		assert_int_equal(p.rights, 0);
		assert_non_null(strstr(p.why, rows[i].why));
		part(&p);
	}
	free_id(&stranger);
	free_id(&late);
	grpc_tls_free(t);
}

static void bytes_go_both_ways_and_the_end_is_told(void **state)
{
	const struct grpc_tls_conf conf = conf_of(*state);
	struct grpc_tls *t = server_of(&conf);
	struct fixture *x = *state;
	uint8_t buf[64];
	struct pair p;

	meet(&p, t, &x->node, H2);
	assert_int_equal(p.step, GRPC_TLS_DONE);
	assert_int_equal(grpc_tls_read(p.server, buf, sizeof(buf)), -EAGAIN);
	assert_int_equal(SSL_write(p.client, "hello", 5), 5);
	assert_int_equal(grpc_tls_read(p.server, buf, sizeof(buf)), 5);
	assert_int_equal(grpc_tls_write(p.server, buf, 5), 5);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(SSL_read(p.client, buf, sizeof(buf)), 5);
	assert_string_equal((char *)buf, "hello");
	SSL_shutdown(p.client);
	assert_int_equal(grpc_tls_read(p.server, buf, sizeof(buf)), 0);
	part(&p);
	/* No alert before the end: cut short, not ended. */
	meet(&p, t, &x->node, H2);
	shutdown(p.fd[1], SHUT_RDWR);
	assert_int_equal(grpc_tls_read(p.server, buf, sizeof(buf)), -EPROTO);
	part(&p);
	grpc_tls_free(t);
}

static void reader_that_takes_nothing_blocks_the_writer(void **state)
{
	const struct grpc_tls_conf conf = conf_of(*state);
	struct grpc_tls *t = server_of(&conf);
	struct fixture *x = *state;
	static uint8_t bytes[65536], got[65536];
	size_t sent = 0, read = 0;
	struct pair p;
	long n;

	meet(&p, t, &x->node, H2);
	while ((n = grpc_tls_write(p.server, bytes, sizeof(bytes))) > 0)
		sent += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	while (read < sent + 1) {
		int r = SSL_read(p.client, got, sizeof(got));

		read += r > 0 ? (size_t)r : 0;
		n = grpc_tls_write(p.server, bytes,
				   sizeof(bytes)); /* the same, from where it was */
		assert_true(n > 0 || n == -EAGAIN);
	}
	part(&p);
	grpc_tls_free(t);
}

/* Each costs the sender 27 bytes and us a derivation. */
static void flood_of_key_updates_ends_the_connection(void **state)
{
	const struct grpc_tls_conf conf = conf_of(*state);
	struct grpc_tls *t = server_of(&conf);
	struct fixture *x = *state;
	struct pair p;
	uint8_t buf[64];
	long r = -EAGAIN;
	int n = 0;

	meet(&p, t, &x->node, H2);
	for (; n < 100 && r == -EAGAIN; n++) {
		assert_true(SSL_key_update(p.client, SSL_KEY_UPDATE_NOT_REQUESTED));
		assert_int_equal(SSL_do_handshake(p.client), 1);
		r = grpc_tls_read(p.server, buf, sizeof(buf));
	}
	assert_int_equal(r, -EPROTO);
	assert_in_range(n, 2, 40);
	part(&p);
	grpc_tls_free(t);
}

static void files_that_do_not_fit_are_named(void **state)
{
	const struct fixture *x = *state;
	const struct grpc_tls_conf good = conf_of(x);
	struct grpc_tls_conf bad[4] = {good, good, good, good};
	struct grpc_tls *t = NULL;
	char why[GRPC_TLS_TEXT];

	bad[0].ca = "/no/such/ca";
	bad[1].certificate = x->node.key_file;
	bad[2].key = x->ca.key_file;
	bad[3].ca = x->node.key_file;
	const char *const named[] = {"/no/such/ca", x->node.key_file, x->ca.key_file,
				     x->node.key_file};

	for (int i = 0; i < 4; i++) {
		assert_int_equal(grpc_tls_new(&bad[i], why, &t), -EINVAL);
		assert_null(t);
		print_message("%s\n", why);
		assert_non_null(strstr(why, named[i]));
	}
}

static void other_certificates_are_taken_over(void **state)
{
	struct fixture *x = *state;
	struct grpc_tls_conf conf = conf_of(x);
	struct grpc_tls *t = server_of(&conf);
	struct id stranger = make_named("ops", &x->other_ca);
	struct pair open, p;

	meet(&open, t, &x->node, H2);
	conf.ca = x->other_ca.certificate_file;
	conf.n_admins = 0;
	grpc_tls_become_take(t, server_of(&conf));
	meet(&p, t, &x->node, H2);
	assert_int_equal(p.step, GRPC_TLS_FAILED);
	part(&p);
	meet(&p, t, &stranger, H2);
	assert_int_equal(p.step, GRPC_TLS_DONE);
	assert_int_equal(p.rights, GRPC_MAY_READ); /* the admins are others, too */
	part(&p);
	assert_int_equal(grpc_tls_write(open.server, (const uint8_t *)"x", 1), 1);
	part(&open);
	free_id(&stranger);
	grpc_tls_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificate_reads_and_an_admins_changes),
		cmocka_unit_test(name_with_a_nul_is_nobodys),
		cmocka_unit_test(who_has_no_good_certificate_stays_outside),
		cmocka_unit_test(bytes_go_both_ways_and_the_end_is_told),
		cmocka_unit_test(reader_that_takes_nothing_blocks_the_writer),
		cmocka_unit_test(flood_of_key_updates_ends_the_connection),
		cmocka_unit_test(files_that_do_not_fit_are_named),
		cmocka_unit_test(other_certificates_are_taken_over),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
