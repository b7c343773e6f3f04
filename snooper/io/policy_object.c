/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A document: a policy, or kubectl's list of them. */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/io/conf_value.h"
#include "snooper/io/policy_reader.h"

#define NAME_MAX_TEXT 253 /* of Kubernetes */

#define NO_NODES   "endpoints are policed here, not nodes: leaving this out would select nothing"
#define NO_INGRESS "NOT ENFORCED: snooper polices what an endpoint begins, not what comes to it"
#define FOR_PEOPLE "for people and for Cilium: left out"

/* A policy while it is read. */
struct object {
	bool clusterwide;
	char *name, *namespace; /* as in struct policy_spec */
};

/* A spec while it is read. */
struct spec_words {
	const struct conf_node *selector, *egress, *deny, *defaults;
};

const struct policy_field policy_list_fields[] = {
	{"apiVersion", POLICY_READ, NULL, NULL},
	{"kind", POLICY_READ, NULL, NULL},
	{"metadata", POLICY_PASSED, "", NULL},
	{"items", POLICY_READ, NULL, NULL},
	{0},
};

const struct policy_field policy_object_fields[] = {
	{"apiVersion", POLICY_READ, NULL, NULL},
	{"kind", POLICY_READ, NULL, NULL},
	{"metadata", POLICY_READ, NULL, NULL},
	{"spec", POLICY_READ, NULL, NULL},
	{"specs", POLICY_READ, NULL, NULL},
	{"status", POLICY_WARNED, FOR_PEOPLE, NULL},
	{0},
};

const struct policy_field policy_metadata_fields[] = {
	{"name", POLICY_READ, NULL, NULL},
	{"namespace", POLICY_READ, NULL, NULL},
	{"labels", POLICY_WARNED, FOR_PEOPLE, NULL},
	{"annotations", POLICY_WARNED, FOR_PEOPLE, NULL},
	{"creationTimestamp", POLICY_PASSED, "", NULL},
	{"deletionGracePeriodSeconds", POLICY_PASSED, "", NULL},
	{"deletionTimestamp", POLICY_PASSED, "", NULL},
	{"finalizers", POLICY_PASSED, "", NULL},
	{"generateName", POLICY_PASSED, "", NULL},
	{"generation", POLICY_PASSED, "", NULL},
	{"managedFields", POLICY_PASSED, "", NULL},
	{"ownerReferences", POLICY_PASSED, "", NULL},
	{"resourceVersion", POLICY_PASSED, "", NULL},
	{"selfLink", POLICY_PASSED, "", NULL},
	{"uid", POLICY_PASSED, "", NULL},
	{0},
};

const struct policy_field policy_spec_fields[] = {
	{"endpointSelector", POLICY_READ, NULL, NULL},
	{"egress", POLICY_READ, NULL, NULL},
	{"egressDeny", POLICY_READ, NULL, NULL},
	{"enableDefaultDeny", POLICY_READ, NULL, NULL},
	{"nodeSelector", POLICY_REFUSED, NO_NODES, NULL},
	{"ingress", POLICY_WARNED, NO_INGRESS, NULL},
	{"ingressDeny", POLICY_WARNED, NO_INGRESS, NULL},
	{"description", POLICY_WARNED, FOR_PEOPLE, NULL},
	{"labels", POLICY_WARNED, FOR_PEOPLE, NULL},
	{"log", POLICY_WARNED, FOR_PEOPLE, NULL},
	{0},
};

const struct policy_field policy_default_fields[] = {
	{"egress", POLICY_READ, NULL, NULL},
	{"ingress", POLICY_READ, NULL, NULL},
	{0},
};

const struct policy_section *policy_sections(size_t *n)
{
	static const struct policy_section sections[] = {
		{"List", policy_list_fields},
		{"", policy_object_fields},
		{"metadata", policy_metadata_fields},
		{"spec", policy_spec_fields},
		{"spec.enableDefaultDeny", policy_default_fields},
		{"spec.endpointSelector", policy_label_fields},
		{"spec.endpointSelector.matchExpressions", policy_expression_fields},
		{"spec.egress", policy_egress_fields},
		{"spec.egress.toFQDNs", policy_fqdn_fields},
		{"spec.egress.toCIDRSet", policy_cidr_fields},
		{"spec.egress.toPorts", policy_ports_fields},
		{"spec.egress.toPorts.ports", policy_port_fields},
		{"spec.egress.toPorts.rules", policy_rules_fields},
		{"spec.egressDeny", policy_deny_fields},
		{"spec.egressDeny.toPorts", policy_deny_ports_fields},
	};

	*n = sizeof(sections) / sizeof(sections[0]);
	return sections;
}

/* --- the names: kubectl would let the later policy replace the former ----------- */

struct known_name {
	struct policy_place at;
	bool clusterwide;
	char name[];
};

static int by_name(const void *a, const void *b)
{
	const struct known_name *x = a, *y = b;

	if (x->clusterwide != y->clusterwide)
		return x->clusterwide ? 1 : -1;
	return strcmp(x->name, y->name);
}

void policy_forget_names(struct policy_reader *r)
{
	tdestroy(r->names, free);
	r->names = NULL;
}

static int
remember_name(struct policy_reader *r, const struct conf_node *at, const struct object *o)
{
	size_t size = strlen(o->name) + 1;
	struct known_name *k = malloc(sizeof(*k) + size), **found;

	if (!k)
		return -ENOMEM;
	k->at = policy_place(r, at);
	k->clusterwide = o->clusterwide;
	memcpy(k->name, o->name, size);
	found = tsearch(k, &r->names, by_name);
	if (found && *found == k)
		return 0;
	if (found)
		policy_warning(r, at, "'%s' is the name of the policy at %s:%u too: both count",
			       o->name, (*found)->at.file, (*found)->at.line);
	free(k);
	return found ? 0 : -ENOMEM;
}

/* --- metadata -------------------------------------------------------------------- */

/* A word that may stand in a name, or NULL: that is noted. */
static const char *take_name(struct policy_reader *r, const struct conf_node *n)
{
	char shown[CONF_SHOWN_MAX];
	const char *why = NULL;

	if (!policy_is_value(r, n))
		return NULL;
	if (!*n->text)
		why = "is empty";
	else if (strlen(n->text) > NAME_MAX_TEXT)
		why = "is longer than 253 characters";
	else if (strchr(n->text, '/'))
		why = "has a slash in it";
	else
		why = conf_value_label(n->text);
	if (why)
		policy_error(r, n, "'%s' %s", conf_shown(n->text, shown), why);
	return why ? NULL : n->text;
}

static int take_names(struct policy_reader *r, const struct conf_node *metadata, struct object *o)
{
	const struct conf_node *name = policy_entry(metadata, "name");
	const struct conf_node *namespace = policy_entry(metadata, "namespace");
	const char *text;

	if (namespace && o->clusterwide) {
		policy_error_key(r, namespace,
				 "a CiliumClusterwideNetworkPolicy is in no namespace");
	} else if (namespace && take_name(r, namespace)) {
		o->namespace = strdup(namespace->text);
		if (!o->namespace)
			return -ENOMEM;
	}
	if (!name)
		policy_error(r, metadata, "has no name");
	text = name ? take_name(r, name) : NULL;
	if (!text)
		return 0;
	if (asprintf(&o->name, "%s%s%s", o->namespace ? o->namespace : "", o->namespace ? "/" : "",
		     text) < 0) {
		o->name = NULL;
		return -ENOMEM;
	}
	return remember_name(r, name, o);
}

static int take_metadata(struct policy_reader *r, const struct conf_node *map, struct object *o)
{
	const struct conf_node *metadata = policy_entry(map, "metadata");
	int res;

	if (!metadata) {
		policy_error(r, map, "has no metadata");
		return 0;
	}
	if (!policy_is_map(r, metadata))
		return 0;
	res = policy_walk(r, metadata, policy_metadata_fields, NULL);
	return res < 0 ? res : take_names(r, metadata, o);
}

/* --- a spec ------------------------------------------------------------------------ */

/* enableDefaultDeny.egress, if it is written. That ingress is let in is what happens anyway. */
static int
take_default(struct policy_reader *r, const struct conf_node *map, struct policy_spec *spec)
{
	const struct conf_node *egress, *ingress;
	bool on;

	if (!policy_is_map(r, map))
		return 0;
	egress = policy_entry(map, "egress");
	ingress = policy_entry(map, "ingress");
	if (egress && policy_is_switch(r, egress, &on))
		spec->default_deny = on;
	if (ingress && policy_is_switch(r, ingress, &on) && on)
		policy_warning_key(r, ingress, NO_INGRESS);
	return policy_walk(r, map, policy_default_fields, NULL);
}

/* One more, the policy's at once. NULL when out of memory. */
static struct policy_spec *
add_spec(struct policy_reader *r, const struct conf_node *map, const struct object *o)
{
	struct policy *p = r->policy;
	struct policy_spec *more = policy_grown(p->specs, p->n_specs, sizeof(*more)), *spec;

	if (!more)
		return NULL;
	p->specs = more;
	spec = &more[p->n_specs++];
	*spec = (struct policy_spec){.at = policy_place(r, map)};
	spec->name = strdup(o->name ? o->name : "");
	if (o->namespace)
		spec->namespace = strdup(o->namespace);
	return spec->name && (spec->namespace || !o->namespace) ? spec : NULL;
}

static int fill_spec(struct policy_reader *r, const struct conf_node *map,
		     const struct spec_words *words, struct policy_spec *spec)
{
	int res = 0;

	if (words->selector)
		res = policy_take_endpoints(r, words->selector, spec);
	else if (!policy_entry(map, "nodeSelector"))
		policy_error(r, map, "has no endpointSelector ({} selects every endpoint)");
	if (res == 0 && words->egress)
		res = policy_take_egress(r, words->egress, spec, false);
	if (res == 0 && words->deny)
		res = policy_take_egress(r, words->deny, spec, true);
	spec->default_deny = spec->n_rules > 0;
	if (res == 0 && words->defaults)
		res = take_default(r, words->defaults, spec);
	return res;
}

static int take_spec(struct policy_reader *r, const struct conf_node *map, const struct object *o)
{
	struct spec_words words;
	struct policy_spec *spec;
	int res;

	if (!policy_is_map(r, map) || !policy_room_for_parts(r, map, 1))
		return 0;
	res = policy_walk(r, map, policy_spec_fields, NULL);
	if (res < 0)
		return res;
	words = (struct spec_words){policy_entry(map, "endpointSelector"),
				    policy_entry(map, "egress"), policy_entry(map, "egressDeny"),
				    policy_entry(map, "enableDefaultDeny")};
	if (!words.egress && !words.deny && !words.defaults && !policy_entry(map, "ingress") &&
	    !policy_entry(map, "ingressDeny"))
		policy_warning(r, map, "has neither egress nor egressDeny, and no effect");
	spec = add_spec(r, map, o);
	return spec ? fill_spec(r, map, &words, spec) : -ENOMEM;
}

/* --- the whole ----------------------------------------------------------------------- */

static int take_specs(struct policy_reader *r, const struct conf_node *map, const struct object *o)
{
	const struct conf_node *spec = policy_entry(map, "spec");
	const struct conf_node *specs = policy_entry(map, "specs");
	int res = 0;

	if (!spec && !specs)
		policy_error(r, map, "has neither spec nor specs");
	if (spec)
		res = take_spec(r, spec, o);
	if (res < 0 || !specs || !policy_is_list(r, specs))
		return res;
	for (const struct conf_node *n = specs->first; n && res == 0; n = n->next)
		res = take_spec(r, n, o);
	return res;
}

/* Is it this apiVersion? If not, that is noted. */
static bool is_version(struct policy_reader *r, const struct conf_node *map, const char *wanted)
{
	const struct conf_node *version = policy_entry(map, "apiVersion");
	char shown[CONF_SHOWN_MAX];

	if (!version)
		policy_error(r, map, "has no apiVersion: %s is wanted", wanted);
	if (!version || !policy_is_value(r, version))
		return false;
	if (!strcmp(version->text, wanted))
		return true;
	policy_error(r, version, "'%s' is not read here: %s is", conf_shown(version->text, shown),
		     wanted);
	return false;
}

static void object_fini(struct object *o)
{
	free(o->name);
	free(o->namespace);
}

static int take_policy(struct policy_reader *r, const struct conf_node *map, bool clusterwide)
{
	SNP_CLEANUP(object_fini)
	struct object o = {.clusterwide = clusterwide};
	int res;

	is_version(r, map, "cilium.io/v2");
	res = policy_walk(r, map, policy_object_fields, NULL);
	if (res == 0)
		res = take_metadata(r, map, &o);
	return res < 0 ? res : take_specs(r, map, &o);
}

static int take_object(struct policy_reader *r, const struct conf_node *map, bool inside);

/* What `kubectl get -o yaml` gives for several. */
static int take_list(struct policy_reader *r, const struct conf_node *map)
{
	const struct conf_node *items = policy_entry(map, "items");
	int res;

	is_version(r, map, "v1");
	res = policy_walk(r, map, policy_list_fields, NULL);
	if (!items)
		policy_error(r, map, "has no items");
	if (res < 0 || !items || !policy_is_list(r, items))
		return res;
	for (const struct conf_node *n = items->first; n && res == 0; n = n->next)
		res = take_object(r, n, true);
	return res;
}

static int take_object(struct policy_reader *r, const struct conf_node *map, bool inside)
{
	const struct conf_node *kind;
	char shown[CONF_SHOWN_MAX];

	if (!policy_is_map(r, map))
		return 0;
	kind = policy_entry(map, "kind");
	if (!kind)
		policy_error(r, map,
			     "has no kind: CiliumNetworkPolicy is wanted, or "
			     "CiliumClusterwideNetworkPolicy");
	if (!kind || !policy_is_value(r, kind))
		return 0;
	if (!strcmp(kind->text, "CiliumNetworkPolicy"))
		return take_policy(r, map, false);
	if (!strcmp(kind->text, "CiliumClusterwideNetworkPolicy"))
		return take_policy(r, map, true);
	if (!strcmp(kind->text, "List") && !inside)
		return take_list(r, map);
	policy_error(r, kind,
		     "'%s' is not read here: CiliumNetworkPolicy is, and "
		     "CiliumClusterwideNetworkPolicy",
		     conf_shown(kind->text, shown));
	return 0;
}

int policy_take_document(struct policy_reader *r, const struct conf_node *root)
{
	if (conf_node_is_null(root)) /* nothing but comments between two --- */
		return 0;
	return take_object(r, root, false);
}
