/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_reader.h - between the files that read policies: where it stands, and what they share.
 *
 * io. Functions that note a problem return as if there were none: errors are
 * counted in the diagnosis, and with any of them the policy is thrown away. So
 * a reader returns 0, or -ENOMEM; what it has built is the policy's at all
 * times, and freed with it.
 */
#ifndef SNP_POLICY_READER_H
#define SNP_POLICY_READER_H

#include "snooper/core/policy.h"
#include "snooper/io/conf_diag.h"
#include "snooper/io/conf_tree.h"
#include "snooper/io/policy_fields.h"

struct policy_reader {
	struct policy *policy;
	struct conf_diag *diag;
	const char *file; /* one of policy->files */
	size_t n_selectors, n_parts;
	bool full;   /* told already */
	void *names; /* policy_object.c: of the policies so far */
};

/* --- policy_walk.c: the document ---------------------------------------------- */

struct policy_place policy_place(const struct policy_reader *r, const struct conf_node *n);

/* Note a problem with n: of its value, or of its key. */
void policy_error(struct policy_reader *r, const struct conf_node *n, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void policy_error_key(struct policy_reader *r, const struct conf_node *n, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void policy_warning(struct policy_reader *r, const struct conf_node *n, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void policy_warning_key(struct policy_reader *r, const struct conf_node *n, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Is n such a thing? If not, that is noted. Nothing at all (null) is none of them. */
bool policy_is_map(struct policy_reader *r, const struct conf_node *n);
bool policy_is_list(struct policy_reader *r, const struct conf_node *n);
bool policy_is_value(struct policy_reader *r, const struct conf_node *n);
/* Reads true or false. */
bool policy_is_switch(struct policy_reader *r, const struct conf_node *n, bool *on);

/* The entry of a mapping, or NULL. What is wrong with it already is none of the kinds above. */
const struct conf_node *policy_entry(const struct conf_node *map, const char *key);

/* Give every entry of map to its field; what no field knows is refused with a suggestion. */
int policy_walk(struct policy_reader *r, const struct conf_node *map,
		const struct policy_field *fields, void *into);

/* Is there room for n more? If not, that is noted, once. */
bool policy_room_for_selectors(struct policy_reader *r, const struct conf_node *at, size_t n);
bool policy_room_for_parts(struct policy_reader *r, const struct conf_node *at, size_t n);

/* Room for one more of size bytes behind n, doubled as needed: the array, or NULL. */
void *policy_grown(void *array, size_t n, size_t size);

/* --- the values ----------------------------------------------------------------- */

/* policy_fqdn.c: toFQDNs, rules.dns. */
int policy_take_fqdns(struct policy_reader *r, const struct conf_node *list,
		      struct policy_selector **out, size_t *n_out);

/* policy_cidr.c: toCIDR and toCIDRSet, into rule. */
int policy_take_cidrs(struct policy_reader *r, const struct conf_node *list,
		      struct policy_rule *rule);
int policy_take_cidr_set(struct policy_reader *r, const struct conf_node *list,
			 struct policy_rule *rule);

/* policy_selector.c: an endpointSelector, into spec->selects. spec NULL: only its form counts. */
int policy_take_endpoints(struct policy_reader *r, const struct conf_node *map,
			  struct policy_spec *spec);

/*
 * policy_ports.c: toPorts, as rules of ports and names without a destination: one
 * for all entries that have no rules.dns, and one for each that has.
 */
struct policy_parts {
	bool deny;
	struct policy_rule *rules; /* the caller's, with what they own */
	size_t n;
};
int policy_take_ports(struct policy_reader *r, const struct conf_node *list,
		      struct policy_parts *parts);

/* policy_egress.c: egress and egressDeny, into spec->rules. */
int policy_take_egress(struct policy_reader *r, const struct conf_node *list,
		       struct policy_spec *spec, bool deny);

/* policy_object.c: a document; and the names it left. */
int policy_take_document(struct policy_reader *r, const struct conf_node *root);
void policy_forget_names(struct policy_reader *r);

#endif
