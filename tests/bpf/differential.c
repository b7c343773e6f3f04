/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * differential.c - what the kernel makes of the messages on stdin, a JSON line each.
 *
 * In: four bytes of length (little endian), then the message. Out, per message:
 *	{"verdict":"ok","via":"run","truncated":0,"trailing":0,"off_chain":0,"rr_class":0,
 *	 "too_many":0,"chain":["<hex of the wire name>",...],"addrs":[["<hex>",ttl],...]}
 * A message too long for BPF_PROG_TEST_RUN goes as a packet ("via":"packet").
 * Exit 1 when the walker's host build says anything else than the kernel.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/bpf/net.h"
#include "tests/walk_rows.h"

static struct rig rig;
static struct net net;
static struct dns_walk host;
static __u8 message[WALK_MESSAGE_MAX], frame[RIG_FRAME];

static void print_hex(const __u8 *p, size_t n)
{
	putchar('"');
	while (n--)
		printf("%02x", *p++);
	putchar('"');
}

static void print_walk(struct dns_walk *w)
{
	printf(",\"truncated\":%u,\"trailing\":%u,\"off_chain\":%u,\"rr_class\":%u,\"too_many\":%u",
	       w->truncated, w->trailing, w->off_chain, w->rr_class, w->too_many);
	printf(",\"chain\":[");
	for (__u32 i = 0; i <= w->depth; i++) {
		if (i)
			putchar(',');
		print_hex(dns_name(w, i), w->name_len[i]);
	}
	printf("],\"addrs\":[");
	for (__u32 i = 0; i < w->n_addrs; i++) {
		printf("%s[", i ? "," : "");
		print_hex(w->msg + w->addrs[i].off, w->addrs[i].len);
		printf(",%u]", w->addrs[i].ttl_s);
	}
	putchar(']');
}

/* The hook returns nothing by this way: the counter that moved is the verdict. */
static int by_packet(size_t len, __u32 *err)
{
	__u8 query[512];
	size_t n = net_query_for(message, len, query);
	int e;

	rig_mark(&rig);
	e = net_exchange(&net, net.client, net.server, query, n, message, len);
	*err = rig_added(&rig, SNP_STAT_PARSED) == 1 ? 0 : SNP_STAT_REFUSALS_END + 1;
	for (__u32 i = 0; i < SNP_STAT_OFF_CHAIN; i++)
		if (rig_added(&rig, i))
			*err = i + 1;
	return e;
}

static int same_walk(const struct dns_walk *a, const struct dns_walk *b)
{
	return a->n_addrs == b->n_addrs && a->depth == b->depth && a->off_chain == b->off_chain &&
	       a->rr_class == b->rr_class && a->trailing == b->trailing &&
	       a->truncated == b->truncated && !memcmp(a->hash, b->hash, 8 * (a->depth + 1)) &&
	       !memcmp(a->addrs, b->addrs, a->n_addrs * sizeof(a->addrs[0]));
}

/* 0; -errno when the kernel could not be asked; 1 when it and the host build differ. */
static int judge(size_t len)
{
	struct snp_t_verdict v = {0};
	size_t n = rig_answer4(frame, message, len);
	int e = rig_run(&rig, frame, n, &v), packet = e == -EINVAL;
	__u32 said;

	if (packet)
		e = by_packet(len, &v.err);
	if (!e)
		e = rig_walk(&rig);
	if (e)
		return e;
	printf("{\"verdict\":\"%s\",\"via\":\"%s\"", walk_verdict(v.err),
	       packet ? "packet" : "run");
	if (!v.err)
		print_walk(rig.walk);
	puts("}");
	said = walk_answer(&host, message, len);
	if (said == v.err && (said || same_walk(&host, rig.walk)))
		return 0;
	fprintf(stderr, "host build: %s, kernel: %s\n", walk_verdict(said), walk_verdict(v.err));
	return 1;
}

static int read_message(size_t *len)
{
	__u8 head[4];

	if (fread(head, sizeof(head), 1, stdin) != 1)
		return 0;
	*len = head[0] | head[1] << 8 | head[2] << 16 | (size_t)head[3] << 24;
	if (*len > sizeof(message) || fread(message, 1, *len, stdin) != *len)
		return -EIO;
	return 1;
}

int main(void)
{
	size_t len, n = 0;
	int e = rig_open(&rig, 65536), differ = 0, r = 0;

	if (!e)
		e = net_open(&net, &rig);
	for (; !e && (r = read_message(&len)) == 1; n++) {
		e = judge(len);
		if (e == 1) {
			fprintf(stderr, "... at message %zu\n", n);
			differ = 1;
			e = 0;
		}
		if (!e && n % 1000 == 999)
			e = rig_forget(&rig);
	}
	if (!e)
		e = r;
	if (e)
		fprintf(stderr, "differential: message %zu: %s\n", n, strerror(-e));
	net_close(&net);
	rig_close(&rig);
	return e || differ;
}
