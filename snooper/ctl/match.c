/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* snooperctl match -f FILE NAME...: which selectors of a policy a name matches. No daemon is asked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/intern.h"
#include "snooper/core/name.h"
#include "snooper/ctl/ctl.h"
#include "snooper/io/policy_match.h"
#include "snooper/io/policy_yaml.h"

struct matching {
	struct policy *policy;
	struct conf_diag diag;
	struct policy_matched of;
	struct intern *spellings; /* kinds may differ */
	uint32_t *spelling;	  /* by index in of.names */
	char **found;		  /* room for all of them */
	bool *seen;		  /* by spelling */
	bool has_dns;
};

static void fini(struct matching *m)
{
	free(m->found);
	free(m->seen);
	free(m->spelling);
	intern_free(m->spellings);
	policy_matched_fini(&m->of);
	policy_free(m->policy);
	conf_diag_fini(&m->diag);
}

/* Lines of file:line:column as they are; with --json each as an object. */
static void print_diag(const struct ctl *ctl, const char *text)
{
	SNP_CLEANUP(snp_freep)
	char *copy = ctl->json && text ? strdup(text) : NULL;
	char *save = NULL;

	if (text && !ctl->json)
		fputs(text, stderr);
	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save))
		ctl_error(ctl, CTL_USAGE, "%s", line);
}

/* Room to print in. 0 or -ENOMEM. */
static int prepare(struct matching *m)
{
	const struct policy_names *names = &m->of.names;

	m->spellings = intern_new(UINT32_MAX / 2);
	m->spelling = calloc(names->n + 1, sizeof(*m->spelling));
	m->found = calloc(names->n + 1, sizeof(*m->found));
	m->seen = calloc(names->n + 1, sizeof(*m->seen));
	if (!m->spellings || !m->spelling || !m->found || !m->seen)
		return -ENOMEM;
	for (size_t i = 0; i < names->n; i++) {
		const char *text = names->at[i].text;

		m->spelling[i] = intern_add(m->spellings, text, strlen(text));
		if (!m->spelling[i])
			return -ENOMEM;
		m->has_dns = m->has_dns || names->at[i].dns;
	}
	return 0;
}

static int load(struct ctl *ctl, struct matching *m)
{
	int err = policy_read_file(ctl->file, &m->policy, &m->diag);

	if (!err)
		err = policy_match(m->policy, &m->of, &m->diag);
	print_diag(ctl, m->diag.text);
	if (!err)
		err = prepare(m);
	if (err == -ENOMEM)
		return ctl_error(ctl, CTL_FAILED, "out of memory");
	return err ? CTL_USAGE : CTL_OK;
}

/*
 * Wire form of an argument. Nothing else is around it, so that bytes which presentation form
 * escapes may stand for themselves. Returns its length, or -EINVAL.
 */
static int wire_of(const char *arg, uint8_t wire[static 256])
{
	char text[NAME_TEXT_MAX];
	size_t n = 0;

	for (const char *p = arg; *p; p++) {
		if (n + 5 > sizeof(text))
			return -EINVAL;
		if (*p > 0x20 && *p < 0x7f)
			text[n++] = *p;
		else
			n += (size_t)sprintf(text + n, "\\%03u", (unsigned char)*p);
	}
	text[n] = '\0';
	return name_from_text(text, wire);
}

static int check_names(struct ctl *ctl, int n, char **names)
{
	char shown[CONF_SHOWN_MAX];
	int code = CTL_OK;

	for (int i = 0; i < n; i++) {
		uint8_t wire[256];

		if (wire_of(names[i], wire) < 0)
			code = ctl_error(ctl, CTL_USAGE, "name %d: '%s' is no domain name", i + 1,
					 conf_shown(names[i], shown));
	}
	return code;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The spellings so used among those numbers, as they are written first, each once: into m->found. */
static size_t spellings(struct matching *m, const uint32_t *numbers, size_t n, bool dns)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		const struct policy_name *name = &m->of.names.at[numbers[i]];
		bool *seen = &m->seen[m->spelling[numbers[i]]];

		if (!(dns ? name->dns : name->fqdn) || *seen)
			continue;
		*seen = true;
		m->found[found++] = (char *)name->text;
	}
	for (size_t i = 0; i < n; i++)
		m->seen[m->spelling[numbers[i]]] = false;
	return found;
}

static void
print(struct ctl *ctl, struct matching *m, const char *name, const uint32_t *numbers, size_t n)
{
	size_t found = spellings(m, numbers, n, false);
	struct json_object *o;

	if (ctl->json) {
		o = json_object_new_object();
		ctl_put_string(o, "name", name);
		json_object_object_add(o, "selectors", ctl_strings(m->found, found));
		found = spellings(m, numbers, n, true);
		if (m->has_dns)
			json_object_object_add(o, "dns", ctl_strings(m->found, found));
		ctl_print_json_take(ctl, o);
		return;
	}
	ctl_printf(ctl, "%s", name);
	for (size_t i = 0; i < found; i++)
		ctl_printf(ctl, " %s", m->found[i]);
	found = spellings(m, numbers, n, true);
	for (size_t i = 0; i < found; i++)
		ctl_printf(ctl, " dns:%s", m->found[i]);
	ctl_printf(ctl, "\n");
}

/* Returns 0 or -ENOMEM. The name is well-formed. */
static int match_one(struct ctl *ctl, struct matching *m, const char *text)
{
	SNP_CLEANUP(snp_freep)
	uint32_t *numbers = calloc(m->of.names.n + 1, sizeof(*numbers));
	uint32_t index[SNP_MATCH_BANKS];
	char shown[NAME_TEXT_MAX];
	uint8_t wire[256];
	size_t n = 0, more;
	int len = wire_of(text, wire);

	if (!numbers)
		return -ENOMEM;
	match_name(&m->of.tables, wire, (size_t)len, index);
	for (size_t i = 0; i < m->of.tables.n_banks; i++) {
		const uint32_t *set = match_set(&m->of.tables.banks[i], index[i], &more);

		memcpy(numbers + n, set, more * sizeof(*set));
		n += more;
	}
	qsort(numbers, n, sizeof(*numbers), by_number);
	name_to_text(wire, (size_t)len, shown);
	print(ctl, m, shown, numbers, n);
	return 0;
}

int ctl_match(struct ctl *ctl, int n, char **args)
{
	SNP_CLEANUP(fini)
	struct matching m = {.has_dns = false};
	int code, err = 0;

	if (!ctl->file || !n)
		return ctl_error(ctl, CTL_USAGE, "match needs -f FILE and names");
	code = check_names(ctl, n, args);
	if (!code)
		code = load(ctl, &m);
	for (int i = 0; !code && !err && i < n; i++)
		err = match_one(ctl, &m, args[i]);
	return err ? ctl_error(ctl, CTL_FAILED, "out of memory") : code;
}
