/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_reload.h"

#include <assert.h>
#include <string.h>

#include "snooper/io/conf_keys.h"

#define LIVE(path)                                                                                 \
	{                                                                                          \
		path, CONF_RELOAD_LIVE                                                             \
	}
#define RESTART(path)                                                                              \
	{                                                                                          \
		path, CONF_RELOAD_RESTART                                                          \
	}
#define UNINSTALL(path)                                                                            \
	{                                                                                          \
		path, CONF_RELOAD_UNINSTALL                                                        \
	}

static const struct conf_reload_row rows[] = {
	LIVE("observe.cgroups"),
	LIVE("observe.resolvers"),
	LIVE("observe.port"),
	LIVE("observe.tcp"),
	LIVE("observe.query_timeout"),
	LIVE("observe.never_learn"),
	LIVE("observe.learn_private"),
	LIVE("observe.svcb_hints"),
	LIVE("observe.names"),
	LIVE("policy.mode"),
	LIVE("policy.scope"),
	LIVE("policy.directory"),
	LIVE("policy.min_ttl"),
	LIVE("policy.max_ttl"),
	LIVE("policy.grace"),
	LIVE("policy.live_flow_idle"),
	LIVE("policy.on_error"),
	LIVE("endpoints"),
	LIVE("endpoints.name"),
	LIVE("endpoints.labels"),
	LIVE("endpoints.cgroup"),
	LIVE("proxy.addresses"),
	LIVE("proxy.cgroup"),
	LIVE("proxy.fallback"),
	LIVE("proxy.mute_after.queries"),
	LIVE("proxy.mute_after.time"),
	LIVE("proxy.probe.name"),
	LIVE("proxy.probe.interval"),
	LIVE("proxy.dwell"),
	LIVE("reconcile.mode"),
	LIVE("reconcile.servers"),
	LIVE("reconcile.rate"),
	RESTART("ha.node"),
	RESTART("ha.cluster"),
	RESTART("ha.listen"),
	RESTART("ha.peers"),
	RESTART("ha.tls"),
	RESTART("ha.tls.ca"),
	RESTART("ha.tls.certificate"),
	RESTART("ha.tls.key"),
	RESTART("ha.insecure"), /* "tls: insecure" is the same value, and told as this */
	RESTART("state.directory"),
	RESTART("state.bpffs"),
	RESTART("state.snapshot_interval"),
	LIVE("state.keep_on_stop"),
	RESTART("export.socket"),
	RESTART("export.socket_group"),
	RESTART("export.metrics"),
	RESTART("export.listen"),
	LIVE("export.tls"),
	LIVE("export.tls.ca"),
	LIVE("export.tls.certificate"),
	LIVE("export.tls.key"),
	LIVE("export.tls.admins"),
	UNINSTALL("limits.names"),
	LIVE("limits.addresses_per_name"),
	LIVE("limits.names_per_address"),
	UNINSTALL("limits.rows"),
	UNINSTALL("limits.facts"),
	LIVE("limits.per_endpoint"),
	UNINSTALL("limits.ring"),
	LIVE("log.level"),
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

const struct conf_reload_row *conf_reload_all(size_t *n)
{
	*n = N_ROWS;
	return rows;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static size_t count_of(const struct conf_key *key, const void *conf)
{
	return *(const size_t *)((const char *)conf + key->count);
}

/* What a key's field holds; of lists, a pointer to the entries. */
static size_t size_of(enum conf_kind kind)
{
	switch (kind) {
	case CONF_KEY_WORD:
		return sizeof(int);
	case CONF_KEY_SWITCH:
		return sizeof(bool);
	case CONF_KEY_PORT:
		return sizeof(uint16_t);
	case CONF_KEY_NUMBER:
	case CONF_KEY_SIZE:
		return sizeof(uint32_t);
	case CONF_KEY_DURATION:
		return sizeof(uint64_t);
	default:
		return sizeof(void *);
	}
}

static bool same_texts(char *const *a, char *const *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!same_text(a[i], b[i]))
			return false;
	return true;
}

static bool
same(const struct conf_key *key, const struct snp_conf *now, const struct snp_conf *next)
{
	const void *a = (const char *)now + key->field, *b = (const char *)next + key->field;
	size_t n;

	switch (key->kind) {
	case CONF_KEY_TLS:
	case CONF_KEY_MAY_TLS:
		return true; /* its one word is ha.insecure's value, and the rest have rows */
	case CONF_KEY_TEXT:
	case CONF_KEY_PATH:
		return same_text(*(char *const *)a, *(char *const *)b);
	case CONF_KEY_TEXTS:
	case CONF_KEY_PATHS:
		n = count_of(key, now);
		return n == count_of(key, next) &&
		       same_texts(*(char **const *)a, *(char **const *)b, n);
	default:
		/* Sections and the lists that no fixed key has. */
		assert(key->kind != CONF_KEY_SECTION && key->kind != CONF_KEY_ENDPOINTS &&
		       key->kind < CONF_KEY_TEXTS);
		return !memcmp(a, b, size_of(key->kind));
	}
}

static void exchange(void *a, void *b, size_t size)
{
	char t[sizeof(uint64_t)];

	memcpy(t, a, size);
	memcpy(a, b, size);
	memcpy(b, t, size);
}

static const struct conf_key *key_of(const char *path)
{
	size_t n;
	const struct conf_key *keys = conf_key_all(&n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(keys[i].path, path))
			return &keys[i];
	return NULL;
}

void conf_reload_keep(struct snp_conf *now, struct snp_conf *next, conf_reload_tell_fn tell)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct conf_key *key;

		if (rows[i].how == CONF_RELOAD_LIVE)
			continue;
		key = key_of(rows[i].path);
		assert(key);
		if (same(key, now, next))
			continue;
		if (tell)
			tell(rows[i].path, rows[i].how);
		exchange((char *)now + key->field, (char *)next + key->field, size_of(key->kind));
		if (key->kind >= CONF_KEY_TEXTS)
			exchange((char *)now + key->count, (char *)next + key->count,
				 sizeof(size_t));
	}
}
