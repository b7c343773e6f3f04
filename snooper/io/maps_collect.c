/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * maps_collect.c - take away what is long over, without ever losing what is alive.
 *
 * The kernel writes a row in place only until SNP_REVIVE_AFTER_NS past its
 * expiry, and replaces it whole later; we delete no sooner than
 * SNP_COLLECT_AFTER_NS, and look at what the deletion brought back: a row that
 * was renewed at that very moment is put back.
 */
#include <errno.h>
#include <string.h>

#include "snooper/base/log.h"
#include "snooper/io/maps_priv.h"

/* One more is gone from under *key. When that was the last, its tallies go too. */
static void tally_collected(struct maps *m, const struct snp_tally_key *key)
{
	int kept_fd = MAP_FD(m, snp_collected), added_fd = MAP_FD(m, snp_tally);
	__u64 collected = 0, added, now;

	bpf_map_lookup_elem(kept_fd, key, &collected);
	collected++;
	if (key->kind == SNP_TALLY_NAME || bpf_map_lookup_elem(added_fd, key, &added) ||
	    added != collected) {
		bpf_map_update_elem(kept_fd, key, &collected, BPF_ANY);
		return;
	}
	if (bpf_map_lookup_and_delete_elem(added_fd, key, &now))
		return;
	bpf_map_delete_elem(kept_fd, key);
	if (now == added)
		return;
	/* A fact came between the two looks: give its count back. */
	now -= collected;
	bpf_map_update_elem(added_fd, key, &now, BPF_NOEXIST);
}

static void
tallies_collected(struct maps *m, const struct snp_fact_key *key, const struct snp_fact *fact)
{
	struct snp_tally_key tally = {.scope = key->name.scope, .kind = SNP_TALLY_NAME};

	tally.id[0] = key->name.id;
	tally_collected(m, &tally);
	tally.kind = SNP_TALLY_ADDR;
	tally.addr = key->addr;
	tally_collected(m, &tally);
	memset(&tally, 0, sizeof(tally));
	tally.kind = SNP_TALLY_CGROUP;
	tally.id[0] = fact->cgroup_id;
	tally_collected(m, &tally);
}

int maps_collect_fact(struct maps *m, const struct snp_fact_key *key, uint64_t now_ns)
{
	struct snp_fact fact;

	if (bpf_map_lookup_and_delete_elem(MAP_FD(m, snp_learned), key, &fact))
		return -errno;
	tallies_collected(m, key, &fact);
	if (fact.expiry_ns + SNP_COLLECT_AFTER_NS <= now_ns)
		return 1;
	if (maps_grant(m, key, &fact))
		log_warn("event=put-back-failed errno=%d", errno);
	return 0;
}

int maps_collect_granted(struct maps *m, const struct snp_fact_key *key, uint64_t now_ns)
{
	struct snp_fact fact;

	/* We are its only writer: what we read is what we delete. */
	if (bpf_map_lookup_elem(MAP_FD(m, snp_granted), key, &fact))
		return -errno;
	if (fact.expiry_ns > now_ns)
		return 0;
	bpf_map_delete_elem(MAP_FD(m, snp_granted), key);
	return 1;
}

/*
 * A program that looked the row up before it went may add to it after: that answer counts for
 * nobody, or for the server whose row is made in the same place. Only a number is wrong then.
 */
int maps_collect_untrusted(struct maps *m, const struct snp_status_server *row, uint64_t *answers)
{
	int fd = MAP_FD(m, snp_untrusted);
	__u64 now;

	if (bpf_map_lookup_and_delete_elem(fd, &row->addr, &now))
		return -errno;
	/* If the kernel has made it again meanwhile, its row stands, and this one is gone. */
	if (now != row->answers && !bpf_map_update_elem(fd, &row->addr, &now, BPF_NOEXIST))
		return 0;
	*answers = now;
	return 1;
}

int maps_collect_name(struct maps *m, const struct snp_name_key *key, uint64_t now_ns)
{
	struct snp_tally_key tally = {.scope = key->scope, .kind = SNP_TALLY_NAME};
	struct snp_tally_key quota = {.kind = SNP_TALLY_CGROUP_NAMES};
	struct snp_name_row row;

	if (bpf_map_lookup_and_delete_elem(MAP_FD(m, snp_names), key, &row))
		return -errno;
	quota.id[0] = row.cgroup_id;
	if (row.expiry_ns + SNP_COLLECT_AFTER_NS <= now_ns) {
		tally.id[0] = key->id;
		bpf_map_delete_elem(MAP_FD(m, snp_collected), &tally);
		tally_collected(m, &quota);
		return 1;
	}
	/* Renewed at that moment. If the kernel has made it again meanwhile, its row stands. */
	if (bpf_map_update_elem(MAP_FD(m, snp_names), key, &row, BPF_NOEXIST))
		tally_collected(m, &quota);
	return 0;
}
