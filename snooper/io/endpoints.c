/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/endpoints.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/core/cgroup_glob.h"
#include "snooper/io/cgroup_tree.h"
#include "snooper/io/endpoints_priv.h"

void endpoints_free(struct endpoints *e)
{
	if (!e)
		return;
	for (size_t i = 0; e->names && i < e->n; i++)
		free(e->names[i]);
	free(e->names);
	free(e->globs);
	free(e->gist);
	free(e->shown);
	free(e->root);
	endpoints_seen_free(e->seen);
	free(e);
}

static void endpoints_freep(struct endpoints **e)
{
	endpoints_free(*e);
}

uint32_t endpoints_number(const struct endpoints *e, size_t i)
{
	return i < e->n ? e->globs[i].member.endpoint : 0;
}

size_t endpoints_find(const struct endpoints *e, uint32_t number)
{
	size_t at = e->at[SNP_ENDPOINT_PLACE(number)];

	/* Its place may be another's by now. */
	return at && e->globs[at - 1].member.endpoint == number ? at - 1 : SIZE_MAX;
}

#define SEEN_BYTES(n) (sizeof(struct endpoints_seen) + (n) * sizeof(struct endpoint_seen))

static struct endpoints_seen *seen_alloc(size_t n)
{
	return calloc(1, SEEN_BYTES(n));
}

static int problem(struct maps_problem *why, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int problem(struct maps_problem *why, int r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why->text, sizeof(why->text), format, ap);
	va_end(ap);
	return r;
}

/* Its packets and sockets are seen where observe.cgroups are only. */
static bool is_observed(const struct snp_conf *conf, const char *path)
{
	for (size_t i = 0; i < conf->observe.n_cgroups; i++) {
		char *root = NULL, outer[4096];
		size_t len;

		if (cgroup_tree_root(conf->observe.cgroups[i], &root, outer, sizeof(outer)))
			continue;
		free(root);
		len = strlen(outer);
		if (len == 1 ||
		    (!strncmp(path, outer, len) && (path[len] == '/' || path[len] == 0)))
			return true;
	}
	return false;
}

static int
take_glob(struct endpoints *e, const struct snp_conf *conf, size_t i, struct maps_problem *why)
{
	const struct snp_endpoint_conf *from = &conf->endpoints[i];
	struct snp_glob *g = &e->globs[i];
	char *root = NULL;
	int r = cgroup_tree_root(from->cgroup, &root, g->path, sizeof(g->path));

	if (r == -EINVAL)
		return problem(why, r, "endpoints[%zu].cgroup: %s is below no cgroup v2 mount", i,
			       from->cgroup);
	if (r == -EXDEV)
		return problem(why, r,
			       "endpoints[%zu].cgroup: what is mounted at %s is not all of cgroup "
			       "v2 (a cgroup namespace?): new cgroups cannot be told by their path",
			       i, from->cgroup);
	if (r < 0)
		return problem(why, r, "endpoints[%zu].cgroup: %s: %s", i, from->cgroup,
			       strerror(-r));
	if (e->root)
		free(root); /* there is but one cgroup v2, however often it is mounted */
	else
		e->root = root;
	g->len = (uint32_t)strlen(g->path);
	e->gist[i] = cgroup_glob_gist(g->path);
	g->level = e->gist[i].level;
	if (!is_observed(conf, g->path))
		log_warn("event=endpoint-unobserved endpoint=%s cgroup=\"%s\" hint=\"it is not "
			 "below observe.cgroups: nothing of it is seen\"",
			 from->name, from->cgroup);
	return 0;
}

/* Names and globs as conf has them; no numbers yet. */
static int take_conf(struct endpoints *e, const struct snp_conf *conf, struct maps_problem *why)
{
	int r = 0;

	e->names = calloc(conf->n_endpoints + 1, sizeof(*e->names));
	e->globs = calloc(conf->n_endpoints + 1, sizeof(*e->globs));
	e->gist = calloc(conf->n_endpoints + 1, sizeof(*e->gist));
	e->shown = calloc(conf->n_endpoints + 1, sizeof(*e->shown));
	e->seen = seen_alloc(conf->n_endpoints);
	if (!e->names || !e->globs || !e->gist || !e->shown || !e->seen)
		return problem(why, -ENOMEM, "out of memory");
	for (; e->n < conf->n_endpoints && !r; e->n++) {
		e->names[e->n] = strdup(conf->endpoints[e->n].name);
		if (!e->names[e->n])
			return problem(why, -ENOMEM, "out of memory");
		r = take_glob(e, conf, e->n, why);
	}
	return r;
}

int endpoints_give_numbers(struct maps *m, const struct snp_conf *conf, const uint8_t *tables,
			   uint32_t *numbers, struct maps_problem *why)
{
	SNP_CLEANUP(snp_freep)
	const char **names = calloc(conf->n_endpoints + 1, sizeof(*names));
	int r = names ? 0 : -ENOMEM;

	for (size_t i = 0; names && i < conf->n_endpoints; i++)
		names[i] = conf->endpoints[i].name;
	if (!r)
		r = maps_endpoint_numbers(m, tables, names, conf->n_endpoints, numbers);
	if (r == -ENOSPC)
		return problem(why, r,
			       "endpoints: with those in force until now there would be more than "
			       "%d, and none takes another's number: reload without the old ones "
			       "first",
			       SNP_ENDPOINTS_MAX - 1);
	if (r < 0)
		return problem(why, r, "endpoints: cannot number them: %s", strerror(-r));
	return 0;
}

static int number_them(struct endpoints *e, struct maps *m, const struct snp_conf *conf,
		       const uint8_t *tables, struct maps_problem *why)
{
	SNP_CLEANUP(snp_freep)
	uint32_t *numbers = calloc(e->n + 1, sizeof(*numbers));
	int r = numbers ? endpoints_give_numbers(m, conf, tables, numbers, why)
			: problem(why, -ENOMEM, "out of memory");

	if (r)
		return r;
	for (size_t i = 0; i < e->n; i++) {
		e->globs[i].member.endpoint = numbers[i];
		e->globs[i].member.scope = conf->policy.scope_node ? SNP_SCOPE_NODE : numbers[i];
		e->at[SNP_ENDPOINT_PLACE(numbers[i])] = (uint16_t)(i + 1);
	}
	return 0;
}

int endpoints_new(struct maps *m, const struct snp_conf *conf, const uint8_t *tables,
		  struct endpoints **out, struct maps_problem *why)
{
	SNP_CLEANUP(endpoints_freep)
	struct endpoints *e = calloc(1, sizeof(*e));
	int r;

	why->kernel = conf->n_endpoints && !maps_can_follow_cgroups(m);
	if (why->kernel)
		return problem(why, -EOPNOTSUPP,
			       "endpoints: this kernel has no BTF (/sys/kernel/btf/vmlinux), or is "
			       "locked down for confidentiality");
	r = e ? take_conf(e, conf, why) : problem(why, -ENOMEM, "out of memory");
	if (!r)
		r = number_them(e, m, conf, tables, why);
	if (!r)
		*out = snp_take(&e);
	return r;
}

int endpoints_in_force(struct endpoints *e, struct maps *m, const struct endpoints *before)
{
	int r = maps_set_globs(m, e->globs, e->n);

	if (r || !before)
		return r;
	for (size_t i = 0; i < e->n; i++) {
		uint32_t number = endpoints_number(e, i);

		if (endpoints_find(before, number) != SIZE_MAX)
			e->count.last[SNP_ENDPOINT_PLACE(number)] =
				before->count.last[SNP_ENDPOINT_PLACE(number)];
	}
	/* What was told once is not told again. */
	memcpy(e->seen->strays, before->seen->strays, sizeof(e->seen->strays));
	e->seen->n_listed = before->seen->n_listed;
	return 0;
}

struct endpoints_seen *endpoints_seen_new(const struct endpoints *e)
{
	struct endpoints_seen *seen = seen_alloc(e->n);

	if (seen)
		memcpy(seen, e->seen, SEEN_BYTES(e->n));
	return seen;
}

void endpoints_seen_free(struct endpoints_seen *seen)
{
	free(seen);
}

bool endpoints_moved(const struct endpoints_seen *seen)
{
	return seen->moved;
}

void endpoints_take_seen(struct endpoints *e, struct endpoints_seen *seen)
{
	endpoints_seen_free(e->seen);
	e->seen = seen;
}

bool endpoints_incomplete(const struct endpoints *e, struct maps *m)
{
	return e->n && (e->seen->settle_error || maps_has_missed(m));
}

size_t endpoints_show(struct endpoints *e, struct maps *m, const struct snp_status_endpoint **out)
{
	endpoints_count(e, m, true);
	for (size_t i = 0; i < e->n; i++)
		e->shown[i] = (struct snp_status_endpoint){
			.name = e->names[i],
			.cgroups = e->count.last[SNP_ENDPOINT_PLACE(e->globs[i].member.endpoint)],
			.sockets_outside = e->seen->of[i].outside,
			.connections_before_policy = e->seen->of[i].open,
		};
	*out = e->shown;
	return e->n;
}

uint64_t endpoints_strays(const struct endpoints *e)
{
	return e->seen->n_strays;
}
