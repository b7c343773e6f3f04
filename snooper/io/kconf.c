/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/kconf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "snooper/base/clock.h"
#include "snooper/base/log.h"
#include "snooper/core/text.h"
#include "snooper/io/links.h"

static int
add_server(struct snp_kconf *k, const struct snp_addr *addr, uint16_t port, uint32_t flags)
{
	struct snp_server *s = k->servers;

	if (addr_is_loopback(addr))
		flags |= SNP_SERVER_LOOPBACK;
	for (; s < k->servers + k->n_servers; s++)
		if (s->at.port == port && !memcmp(&s->at.addr, addr, sizeof(*addr))) {
			s->flags |= flags;
			return 0;
		}
	if (k->n_servers == SNP_SERVERS_MAX)
		return -E2BIG;
	s->at.addr = *addr;
	s->at.port = port;
	s->flags = flags;
	k->n_servers++;
	k->ports[port >> 6] |= 1ull << (port & 63);
	return 0;
}

/* Mark in first[] every first byte that an address in the prefix can have. */
static void mark_first(__u64 first[4], uint8_t byte, unsigned int bits)
{
	unsigned int span = bits >= 8 ? 1 : 1u << (8 - bits);

	for (unsigned int b = byte; b < byte + span && b < 256; b++)
		first[b >> 6] |= 1ull << (b & 63);
}

static void mask_of(unsigned int bits, uint8_t mask[16])
{
	for (unsigned int i = 0; i < 16; i++)
		mask[i] = bits >= (i + 1) * 8 ? 0xff : bits <= i * 8 ? 0 : 0xff << (8 - bits % 8);
}

struct nevers {
	unsigned int n4, n6;
};

static int add_never(struct snp_kconf *k, struct nevers *n, const struct snp_cidr *c)
{
	uint8_t mask[16];

	mask_of(c->prefix, mask);
	if (!c->ipv6) {
		if (n->n4 == SNP_NEVER_MAX)
			return -E2BIG;
		memcpy(&k->never4[n->n4].mask, mask + 12, 4);
		k->never4[n->n4++].addr = c->addr.w[3];
		mark_first(k->first4, c->addr.b[12], c->prefix - 96);
		return 0;
	}
	if (n->n6 == SNP_NEVER_MAX)
		return -E2BIG;
	memcpy(k->never6[n->n6].mask, mask, 16);
	memcpy(k->never6[n->n6++].addr, &c->addr, 16);
	mark_first(k->first6, c->addr.b[0], c->prefix);
	return 0;
}

static int add_nevers(const struct snp_conf *conf, struct snp_kconf *k)
{
	struct nevers n = {0};
	int r = 0;

	for (unsigned int i = 0; i < SNP_NEVER_MAX; i++) {
		k->never4[i].addr = 1; /* unused: mask 0, addr not 0 */
		k->never6[i].addr[0] = 1;
	}
	for (size_t i = 0; i < conf->observe.n_never_learn && !r; i++)
		r = add_never(k, &n, &conf->observe.never_learn[i]);
	for (size_t i = 0; !conf->observe.learn_private && i < SNP_PRIVATE_RANGES && !r; i++)
		r = add_never(k, &n, &snp_private_ranges[i]);
	return r;
}

static int add_proxies(const struct snp_conf *conf, struct snp_kconf *k)
{
	int r = 0;

	if (conf->proxy.n_addresses > SNP_PROXIES_MAX)
		return -E2BIG;
	k->proxy_generation = 1;
	for (size_t i = 0; i < conf->proxy.n_addresses && !r; i++) {
		const struct snp_endpoint *p = &conf->proxy.addresses[i];

		k->proxies[k->n_proxies++] = *p;
		for (size_t b = 0; b < sizeof(p->addr.b); b++)
			k->proxy_generation = k->proxy_generation * 16777619 ^ p->addr.b[b];
		k->proxy_generation = k->proxy_generation * 16777619 ^ p->port;
		r = add_server(k, &p->addr, p->port, SNP_SERVER_PROXY);
	}
	for (size_t i = 0; i < conf->proxy.n_fallback && !r; i++) {
		const struct snp_endpoint *f = &conf->proxy.fallback[i];

		if (addr_is_v4(&f->addr) ? k->n_fallback4 == SNP_FALLBACKS_MAX
					 : k->n_fallback6 == SNP_FALLBACKS_MAX)
			return -E2BIG;
		if (addr_is_v4(&f->addr))
			k->fallback4[k->n_fallback4++] = *f;
		else
			k->fallback6[k->n_fallback6++] = *f;
		r = add_server(k, &f->addr, f->port, SNP_SERVER_FALLBACK);
	}
	return r;
}

static uint64_t own_netns_cookie(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		log_warn("event=netns-cookie-unknown hint=\"loopback resolvers are not believed\"");
	if (fd >= 0)
		close(fd);
	return cookie;
}

static uint32_t seconds(uint64_t ns)
{
	uint64_t s = (ns + SNP_NS_PER_S - 1) / SNP_NS_PER_S;

	return s > 0x7fffffff ? 0x7fffffff : s;
}

int kconf_build(const struct snp_conf *conf, struct snp_kconf *k, const char **what)
{
	uint64_t cgroup_id;
	int r = 0;

	memset(k, 0, sizeof(*k));
	k->netns_cookie = own_netns_cookie();
	k->query_timeout_ms = conf->observe.query_timeout_ns / SNP_NS_PER_MS;
	k->min_ttl_s = seconds(conf->policy.min_ttl_ns);
	k->max_ttl_s = seconds(conf->policy.max_ttl_ns);
	k->addresses_per_name = conf->limits.addresses_per_name;
	k->names_per_address = conf->limits.names_per_address;
	k->per_endpoint = conf->limits.per_endpoint;
	k->ring_wake_bytes = conf->limits.ring_bytes / 4;
	k->svcb_hints = conf->observe.svcb_hints;
	if (conf->proxy.cgroup) {
		/* Not there yet: nobody's socket is of it. */
		k->proxy_cgroup_id = ~0ull;
		if (!links_cgroup(conf->proxy.cgroup, &cgroup_id, &k->proxy_cgroup_level))
			k->proxy_cgroup_id = cgroup_id;
	}
	*what = "observe.resolvers";
	for (size_t i = 0; i < conf->observe.n_resolvers && !r; i++)
		r = add_server(k, &conf->observe.resolvers[i], conf->observe.port, 0);
	if (r)
		return r;
	k->ports[conf->observe.port >> 6] |= 1ull << (conf->observe.port & 63);
	*what = "proxy.addresses and proxy.fallback";
	r = add_proxies(conf, k);
	if (r)
		return r;
	*what = "observe.never_learn";
	return add_nevers(conf, k);
}
