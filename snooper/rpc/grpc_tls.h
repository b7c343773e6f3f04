/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_tls.h - TLS 1.3 with certificates both ways, below HTTP/2.
 *
 * rpc: OpenSSL inside, none of it here. Non-blocking, on the loop thread.
 * Whoever uses it ignores SIGPIPE: OpenSSL writes to the socket by itself.
 *
 * No older version, no tickets, no resumption, no early data: every connection
 * shows a certificate, and nothing of HTTP/2 is read before it is verified.
 */
#ifndef SNP_GRPC_TLS_H
#define SNP_GRPC_TLS_H

#include <stddef.h>
#include <stdint.h>

struct grpc_tls;      /* opaque: what was read from the files */
struct grpc_tls_link; /* opaque: one connection */

struct grpc_tls_conf {
	const char *ca, *certificate, *key; /* files, PEM */
	char *const *admins;		    /* common names of those who may change things */
	size_t n_admins;
};

#define GRPC_TLS_TEXT 256

/*
 * Read the files. Everything is copied. 0 and *out; -EINVAL and why for a file
 * that cannot be used, or a key that is not the certificate's; -ENOMEM.
 */
int grpc_tls_new(const struct grpc_tls_conf *conf, char why[static GRPC_TLS_TEXT],
		 struct grpc_tls **out);
void grpc_tls_free(struct grpc_tls *t);

/* From now on as by. Connections that are open go on under what they began with. */
void grpc_tls_become_take(struct grpc_tls *t, struct grpc_tls *by);

/* t is borrowed for the life of the link, fd too. 0 and *out, or -ENOMEM. */
int grpc_tls_link_new(struct grpc_tls *t, int fd, struct grpc_tls_link **out);
/* Says goodbye, if there was a handshake and no error. */
void grpc_tls_link_free(struct grpc_tls_link *l);

enum grpc_tls_step { GRPC_TLS_DONE, GRPC_TLS_WANT_READ, GRPC_TLS_WANT_WRITE, GRPC_TLS_FAILED };

/*
 * Go on with the handshake. DONE: the certificate is verified, *rights are
 * GRPC_MAY_*. FAILED: why says so. Outputs are untouched otherwise.
 */
enum grpc_tls_step
grpc_tls_handshake(struct grpc_tls_link *l, unsigned int *rights, char why[static GRPC_TLS_TEXT]);

/* After DONE. As recv(2) and send(2), with -errno; -EPROTO for an error of TLS. */
long grpc_tls_read(struct grpc_tls_link *l, uint8_t *bytes, size_t room);
long grpc_tls_write(struct grpc_tls_link *l, const uint8_t *bytes, size_t n);

#endif
