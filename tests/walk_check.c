/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* walk_check.c - walk a message on the host, and compare a walk with its row. */
#include <arpa/inet.h>
#include <stdio.h>

#define SNP_DNS_CHECKED
#include "tests/walk_rows.h"
#include "snooper/core/name.h"

#define NAME_OF(id, name, ...) [DNS_E(id)] = name,
static const char *const verdicts[] = {[0] = "ok", SNP_REFUSALS(NAME_OF)};

const char *walk_verdict(__u32 err)
{
	return err < sizeof(verdicts) / sizeof(verdicts[0]) ? verdicts[err] : "?";
}

size_t walk_row_message(const struct walk_row *row, __u8 *buf)
{
	if (row->make)
		return row->make(buf);
	memcpy(buf, row->wire, row->len);
	return row->len;
}

__u32 walk_words(const char *text)
{
	__u32 n = 0;

	for (; text; text = strchr(text, ' '), text = text ? text + 1 : NULL)
		n++;
	return n;
}

__u32 walk_answer(struct dns_walk *w, const __u8 *msg, size_t len)
{
	__u32 e;

	w->key[0] = 0x0706050403020100;
	w->key[1] = 0x0f0e0d0c0b0a0908;
	w->svcb_hints = 1;
	w->len = len;
	memcpy(w->msg, msg, len);
	e = dns_walk_question(w, DNS_FLAG_QR);
	if (e)
		return e;
	if (w->flags & 0xf)
		return DNS_E(RCODE);
	return dns_walk_records(w);
}

static int differs(char *text, const char *what, __u32 is, __u32 want)
{
	if (is == want)
		return 0;
	snprintf(text, 256, "%s is %u, not %u", what, is, want);
	return -1;
}

static int check_addrs(const struct walk_row *row, const struct dns_walk *w, char *text)
{
	const char *at = row->addrs;
	char is[INET6_ADDRSTRLEN];

	for (__u32 i = 0; at && i < w->n_addrs; i++) {
		const struct dns_addr *a = &w->addrs[i];
		size_t len = strcspn(at, " ");

		inet_ntop(a->len == 4 ? AF_INET : AF_INET6, w->msg + a->off, is, sizeof(is));
		if (strlen(is) != len || memcmp(is, at, len)) {
			snprintf(text, 256, "address %u is %s, not %.*s", i, is, (int)len, at);
			return -1;
		}
		at += len + (at[len] == ' ');
	}
	return 0;
}

static int check_chain(const struct walk_row *row, struct dns_walk *w, char *text)
{
	const char *at = row->chain;
	char is[NAME_TEXT_MAX];

	for (__u32 i = 1; at && i <= w->depth; i++) {
		size_t len = strcspn(at, " ");

		if (name_to_text(dns_name(w, i), w->name_len[i], is) < 0) {
			snprintf(text, 256, "name %u of the chain is malformed", i);
			return -1;
		}
		if (strlen(is) != len || memcmp(is, at, len)) {
			snprintf(text, 256, "name %u is %.100s, not %.*s", i, is, (int)len, at);
			return -1;
		}
		at += len + (at[len] == ' ');
	}
	return 0;
}

int walk_row_check(const struct walk_row *row, __u32 err, struct dns_walk *w, char text[static 256])
{
	if (err != row->err) {
		snprintf(text, 256, "verdict is %s, not %s", walk_verdict(err),
			 walk_verdict(row->err));
		return -1;
	}
	if (err)
		return 0;
	if (differs(text, "n_addrs", w->n_addrs,
		    row->addrs ? walk_words(row->addrs) : row->n_addrs) ||
	    differs(text, "depth", w->depth, row->chain ? walk_words(row->chain) : row->depth) ||
	    differs(text, "off_chain", w->off_chain, row->off_chain) ||
	    differs(text, "rr_class", w->rr_class, row->rr_class) ||
	    differs(text, "too_many", w->too_many, row->too_many) ||
	    differs(text, "trailing", w->trailing, row->trailing) ||
	    differs(text, "truncated", w->truncated, row->truncated))
		return -1;
	if ((row->ttl_s || row->zero_ttl) && differs(text, "ttl", w->addrs[0].ttl_s, row->ttl_s))
		return -1;
	return check_addrs(row, w, text) || check_chain(row, w, text) ? -1 : 0;
}
