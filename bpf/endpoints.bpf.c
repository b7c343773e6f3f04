/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * endpoints.bpf.c - cgroups join endpoints as they are made, and leave as they go.
 *
 * cgroup_mkdir fires under the kernel's lock of all cgroups, before the new one can
 * be seen or entered: its first process is a member's. Interrupts are off there,
 * so the walk over the globs has a bound.
 */
#include "bpf/snp_cgroup.bpf.h"

struct search {
	struct snp_newcgroup *new;
};

static __always_inline int is_v2(const struct cgroup *cg)
{
	return BPF_CORE_READ(cg, root, hierarchy_id) == 0;
}

static __always_inline void next_glob(struct snp_newcgroup *n)
{
	n->at++;
	n->walk.p = n->walk.t = n->walk.starred = 0;
}

/* A step in the glob that we are in. 1: decided. */
static long search_step(__u32 turn, struct search *s)
{
	struct snp_newcgroup *n = s->new;
	__u32 at = n->bank * SNP_GLOBS_MAX + n->at;
	struct snp_glob *g;
	enum glob_found found;

	if (n->at >= n->n_globs) {
		n->decided = 1;
		return 1;
	}
	g = bpf_map_lookup_elem(&snp_globs, &at);
	if (!g)
		return 1;
	if (g->level != n->level) {
		next_glob(n);
		return 0;
	}
	found = glob_step(&n->walk, g->path, g->len, n->path, n->path_len);
	if (found == GLOB_GOING)
		return 0;
	if (found != GLOB_MATCH) {
		next_glob(n);
		return 0;
	}
	n->endpoint = g->member.endpoint;
	n->scope = g->member.scope;
	n->decided = 1;
	return 1;
}

static __always_inline void missed(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&snp_missed, &zero);

	if (n)
		__sync_fetch_and_add(n, 1);
	snp_count(SNP_STAT_MEMBERS_MISSED);
}

static __always_inline void unknown(void)
{
	snp_count(SNP_STAT_MEMBERS_UNKNOWN);
	missed();
}

/* by_glob: what it is below does not say whose it is. */
static __always_inline void join(__u64 id, const struct snp_member *m, int by_glob)
{
	struct snp_member row = {.endpoint = m->endpoint, .scope = m->scope};

	if (!bpf_map_update_elem(&snp_members, &id, &row, BPF_ANY)) {
		snp_count(SNP_STAT_MEMBERS);
		return;
	}
	/* The row first: from missed() on it is looked for. */
	if (by_glob && bpf_map_update_elem(&snp_spare, &id, &row, BPF_ANY))
		snp_count(SNP_STAT_MEMBERS_UNKNOWN);
	missed();
}

/* The first glob that matches the path, if there is one. */
static __always_inline void search(struct cgroup *cg, const char *path, __u32 globs, __u64 id)
{
	__u32 zero = 0;
	struct snp_newcgroup *n = bpf_map_lookup_elem(&snp_newcgroup, &zero);
	struct snp_member m = {0};
	struct search s = {.new = n};
	long len;

	if (!n)
		return;
	len = bpf_probe_read_kernel_str(n->path, sizeof(n->path), path);
	if (len <= 0 || len >= (long)sizeof(n->path)) {
		unknown(); /* it may be cut off */
		return;
	}
	n->path_len = len - 1;
	n->level = BPF_CORE_READ(cg, level);
	n->bank = !!(globs & SNP_GLOBS_BANK);
	n->n_globs = globs & ~SNP_GLOBS_BANK;
	n->at = n->decided = n->endpoint = 0;
	n->walk.p = n->walk.t = n->walk.starred = 0;
	bpf_loop(SNP_GLOB_STEPS, search_step, &s, 0);
	m.endpoint = n->endpoint;
	m.scope = n->scope;
	if (!n->decided)
		unknown();
	else if (m.endpoint)
		join(id, &m, 1);
}

SEC("raw_tracepoint/cgroup_mkdir") int snp_cg_made(struct bpf_raw_tracepoint_args *ctx)
{
	struct cgroup *cg = (struct cgroup *)ctx->args[0];
	struct snp_endctl *ctl = endpoints_now();
	__u32 globs = ctl ? *(volatile __u32 *)&ctl->globs : 0;
	struct snp_member *above;
	__u64 id;

	if (!globs || !is_v2(cg))
		return 0;
	id = BPF_CORE_READ(cg, kn, id);
	above = member_of_cgroup(BPF_CORE_READ(cg, self.parent, cgroup));
	if (above)
		join(id, above, 0);
	else
		search(cg, (const char *)ctx->args[1], globs, id);
	return 0;
}

SEC("raw_tracepoint/cgroup_release") int snp_cg_gone(struct bpf_raw_tracepoint_args *ctx)
{
	struct cgroup *cg = (struct cgroup *)ctx->args[0];
	__u64 id;

	if (!is_v2(cg))
		return 0;
	id = BPF_CORE_READ(cg, kn, id);
	if (!bpf_map_delete_elem(&snp_members, &id))
		snp_count(SNP_STAT_MEMBERS_GONE);
	bpf_map_delete_elem(&snp_spare, &id);
	return 0;
}
