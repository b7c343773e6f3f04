/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/policy_match.h"

#include <errno.h>

#include "snooper/base/cleanup.h"

static const char *const keys[] = {
	[POLICY_MATCH_NAME] = "matchName",
	[POLICY_MATCH_PATTERN] = "matchPattern",
	[POLICY_MATCH_REGEX] = "matchRegex",
};

static void
note(const struct match_problem *problem, const struct policy_name *s, struct conf_diag *diag)
{
	const struct policy_place *written = &s->in[POLICY_NEXT].at;
	struct conf_place at = {.line = written->line, .column = written->column};
	char shown[CONF_SHOWN_MAX];

	conf_diag_file(diag, written->file);
	conf_shown(s->text, shown);
	if (problem->position)
		conf_diag_error(diag, at, keys[s->kind], "'%s': at its character %u: %s", shown,
				problem->position, problem->text);
	else
		conf_diag_error(diag, at, keys[s->kind], "'%s': %s", shown, problem->text);
}

int policy_match(const struct policy *p, struct policy_matched *out, struct conf_diag *diag)
{
	SNP_CLEANUP(policy_matched_fini)
	struct policy_matched m = {.ids = policy_ids_new()};
	SNP_CLEANUP(match_problems_fini)
	struct match_problems problems = {.n = 0};
	int err = m.ids ? policy_names_add(&m.names, m.ids, p, POLICY_NEXT) : -ENOMEM;

	if (!err)
		err = policy_names_match(&m.names, &m.tables, &problems);
	for (size_t i = 0; i < problems.n; i++)
		note(&problems.list[i], &m.names.at[problems.list[i].selector], diag);
	if (problems.n)
		return conf_diag_finish(diag);
	if (err)
		return err;
	*out = m;
	m = (struct policy_matched){.ids = NULL};
	return 0;
}

void policy_matched_fini(struct policy_matched *m)
{
	policy_names_fini(&m->names);
	match_tables_fini(&m->tables);
	policy_ids_free(m->ids);
}
