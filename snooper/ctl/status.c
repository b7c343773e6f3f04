/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* snooperctl status, and proxy status: how the daemon and its kernel part are doing. */
#include <inttypes.h>
#include <string.h>

#include "proto/export.pb-c.h"
#include "snooper/ctl/ctl.h"

#define ROW "%-12s"

static const char *state_name(const Snooper__V1__Proxy *p)
{
	return p->state == SNOOPER__V1__PROXY__STATE__BYPASSED ? "bypassed" : "active";
}

static struct json_object *proxy_json(const Snooper__V1__Proxy *p)
{
	struct json_object *o = ctl_message_json(&p->base);

	ctl_put_string(o, "state", state_name(p));
	return o;
}

static struct json_object *counters_json(Snooper__V1__Counter *const *list, size_t n)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < n; i++)
		ctl_put_number(o, list[i]->name, list[i]->value);
	return o;
}

static struct json_object *kernel_json(const Snooper__V1__Kernel *k)
{
	struct json_object *o = ctl_message_json(&k->base);

	json_object_object_add(o, "refused", counters_json(k->refused, k->n_refused));
	json_object_object_add(o, "counters", counters_json(k->counters, k->n_counters));
	return o;
}

static struct json_object *untrusted_json(const Snooper__V1__StatusReply *m)
{
	struct json_object *array = json_object_new_array();
	char text[CTL_ADDR_MAX];

	for (size_t i = 0; i < m->n_untrusted_servers; i++) {
		struct json_object *o = json_object_new_object();

		ctl_put_string(o, "address", ctl_addr(&m->untrusted_servers[i]->address, text));
		ctl_put_number(o, "answers", m->untrusted_servers[i]->answers);
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *endpoints_json(const Snooper__V1__StatusReply *m)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < m->n_endpoints; i++)
		json_object_array_add(array, ctl_message_json(&m->endpoints[i]->base));
	return array;
}

/* {"mediabot":{"name":12,"deny-no-name":3}} */
static struct json_object *verdicts_json(const Snooper__V1__StatusReply *m)
{
	struct json_object *all = json_object_new_object(), *of;

	for (size_t i = 0; i < m->n_verdicts; i++) {
		const Snooper__V1__VerdictCount *v = m->verdicts[i];

		if (!json_object_object_get_ex(all, v->endpoint, &of)) {
			of = json_object_new_object();
			json_object_object_add(all, v->endpoint, of);
		}
		ctl_put_number(of, v->verdict, v->flows);
	}
	return all;
}

static void print_json(struct ctl *ctl, const Snooper__V1__StatusReply *m)
{
	struct json_object *o = ctl_message_json(&m->base);

	json_object_object_add(o, "kernel", kernel_json(m->kernel));
	json_object_object_add(o, "cache", ctl_message_json(&m->cache->base));
	json_object_object_add(o, "proxy", proxy_json(m->proxy));
	json_object_object_add(o, "peers", json_object_new_array());
	json_object_object_add(o, "untrusted_servers", untrusted_json(m));
	json_object_object_add(o, "endpoints", endpoints_json(m));
	if (m->policy)
		json_object_object_add(o, "policy", ctl_message_json(&m->policy->base));
	json_object_object_add(o, "verdicts", verdicts_json(m));
	json_object_object_add(o, "export", counters_json(m->export, m->n_export));
	json_object_object_add(o, "degraded", ctl_strings(m->degraded, m->n_degraded));
	ctl_print_json_take(ctl, o);
}

static void print_proxy(struct ctl *ctl, const Snooper__V1__Proxy *p)
{
	char text[CTL_DURATION_MAX];

	if (!p->configured)
		ctl_printf(ctl, ROW "none configured\n", "proxy");
	else
		ctl_printf(ctl, ROW "%s for %s, %" PRIu64 " queries bypassed\n", "proxy",
			   state_name(p), ctl_duration(p->since_ms, text), p->bypassed_queries);
}

static void print_kernel(struct ctl *ctl, const Snooper__V1__Kernel *k)
{
	ctl_printf(ctl, ROW "%" PRIu64 " parsed, %" PRIu64 " learned from\n", "answers",
		   k->answers_parsed, k->answers_learned);
	for (size_t i = 0; i < k->n_refused; i++)
		if (k->refused[i]->value)
			ctl_printf(ctl, ROW "%s %" PRIu64 "\n", "refused", k->refused[i]->name,
				   k->refused[i]->value);
	if (k->ring_lost)
		ctl_printf(ctl, ROW "%" PRIu64 " records lost, no state with them\n", "ring",
			   k->ring_lost);
}

static void print_cache(struct ctl *ctl, const Snooper__V1__Cache *c)
{
	ctl_printf(ctl, ROW "%" PRIu64 " with %" PRIu64 " addresses\n", "names", c->names,
		   c->addresses);
	if (c->evicted_names || c->refused_names || c->refused_addresses)
		ctl_printf(ctl,
			   ROW "%" PRIu64 " names gave way, %" PRIu64 " names and %" PRIu64
			       " addresses not taken: full\n",
			   "cache", c->evicted_names, c->refused_names, c->refused_addresses);
}

static void print_untrusted(struct ctl *ctl, const Snooper__V1__StatusReply *m)
{
	char text[CTL_ADDR_MAX];

	for (size_t i = 0; i < m->n_untrusted_servers; i++)
		ctl_printf(ctl,
			   ROW "%s answers here (%" PRIu64
			       " so far) and is not in observe.resolvers\n",
			   "untrusted", ctl_addr(&m->untrusted_servers[i]->address, text),
			   m->untrusted_servers[i]->answers);
	if (m->untrusted_unlisted)
		ctl_printf(ctl,
			   ROW "%" PRIu64 " answers of others, that this list had no room for\n",
			   "untrusted", m->untrusted_unlisted);
}

/* A name is a word of the configuration: plain characters only. */
static void print_endpoints(struct ctl *ctl, const Snooper__V1__StatusReply *m)
{
	for (size_t i = 0; i < m->n_endpoints; i++) {
		const Snooper__V1__Endpoint *e = m->endpoints[i];

		ctl_printf(ctl, ROW "%s with %" PRIu64 " cgroups", "endpoint", e->name, e->cgroups);
		if (e->sockets_outside)
			ctl_printf(ctl, ", %" PRIu64 " sockets held that are not its own",
				   e->sockets_outside);
		if (e->connections_before_policy)
			ctl_printf(ctl, ", %" PRIu64 " connections older than its policy",
				   e->connections_before_policy);
		ctl_printf(ctl, "\n");
	}
}

static void print_policy_work(struct ctl *ctl, const Snooper__V1__PolicyState *p)
{
	if (p->connections_ended || p->connections_not_ended)
		ctl_printf(ctl,
			   ROW "%" PRIu64 " connections ended, %" PRIu64
			       " left to their own time-out\n",
			   "policy", p->connections_ended, p->connections_not_ended);
	if (p->not_given)
		ctl_printf(ctl, ROW "%" PRIu64 " addresses of known names not written\n", "policy",
			   p->not_given);
	if (p->not_followed)
		ctl_printf(ctl,
			   ROW "%" PRIu64
			       " times this host's own addresses could not be followed\n",
			   "policy", p->not_followed);
	if (p->verdicts_untold)
		ctl_printf(ctl, ROW "%" PRIu64 " counts left out: out of memory\n", "verdicts",
			   p->verdicts_untold);
}

static void print_policy(struct ctl *ctl, const Snooper__V1__StatusReply *m)
{
	const Snooper__V1__PolicyState *p = m->policy;

	if (p && p->generation)
		ctl_printf(ctl,
			   ROW "generation %" PRIu64 ", %" PRIu64 " specs, %" PRIu64
			       " selectors, %" PRIu64 " verdict rows with %" PRIu64 " slots\n",
			   "policy", p->generation, p->specs, p->selectors, p->rows, p->slots);
	if (p)
		print_policy_work(ctl, p);
	for (size_t i = 0; i < m->n_verdicts; i++)
		ctl_printf(ctl, ROW "%s: %s %" PRIu64 "\n", "verdicts", m->verdicts[i]->endpoint,
			   m->verdicts[i]->verdict, m->verdicts[i]->flows);
}

static void print_text(struct ctl *ctl, const Snooper__V1__StatusReply *m)
{
	ctl_printf(ctl, ROW "%s\n", "version", m->version);
	ctl_printf(ctl, ROW "%s\n", "mode", m->mode);
	print_cache(ctl, m->cache);
	print_kernel(ctl, m->kernel);
	print_untrusted(ctl, m);
	print_proxy(ctl, m->proxy);
	print_endpoints(ctl, m);
	print_policy(ctl, m);
	for (size_t i = 0; i < m->n_degraded; i++)
		ctl_printf(ctl, ROW "%s\n", "degraded", m->degraded[i]);
	if (!m->n_degraded)
		ctl_printf(ctl, ROW "ok\n", "state");
}

/* CTL_OK and *reply with all its parts, or an exit code. */
static int get(struct ctl *ctl, Snooper__V1__StatusReply **reply)
{
	Snooper__V1__StatusRequest request = SNOOPER__V1__STATUS_REQUEST__INIT;
	ProtobufCMessage *m;
	int code = ctl_call_unary(ctl, "/snooper.v1.Status/Get", &request.base,
				  &snooper__v1__status_reply__descriptor, &m);

	if (code)
		return code;
	*reply = (Snooper__V1__StatusReply *)m;
	if ((*reply)->kernel && (*reply)->cache && (*reply)->proxy)
		return CTL_OK;
	snooper__v1__status_reply__free_unpacked(*reply, NULL);
	return ctl_error(ctl, CTL_FAILED, "the daemon's answer lacks a part");
}

int ctl_status(struct ctl *ctl, int n, char **args)
{
	Snooper__V1__StatusReply *m;
	int code;

	if (n)
		return ctl_error(ctl, CTL_USAGE, "status takes no argument");
	code = get(ctl, &m);
	if (code)
		return code;
	if (ctl->json)
		print_json(ctl, m);
	else
		print_text(ctl, m);
	code = m->n_degraded ? CTL_DEGRADED : CTL_OK;
	snooper__v1__status_reply__free_unpacked(m, NULL);
	return code;
}

int ctl_proxy(struct ctl *ctl, int n, char **args)
{
	Snooper__V1__StatusReply *m;
	int code;

	if (n > 1 || (n && strcmp(args[0], "status")))
		return ctl_error(ctl, CTL_USAGE, "proxy knows 'status' only");
	code = get(ctl, &m);
	if (code)
		return code;
	if (ctl->json)
		ctl_print_json_take(ctl, proxy_json(m->proxy));
	else
		print_proxy(ctl, m->proxy);
	snooper__v1__status_reply__free_unpacked(m, NULL);
	return CTL_OK;
}
