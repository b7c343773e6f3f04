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
note(const struct match_problem *problem, const struct policy_selector *s, struct conf_diag *diag)
{
	struct conf_place at = {.line = s->at.line, .column = s->at.column};
	char shown[CONF_SHOWN_MAX];

	conf_diag_file(diag, s->at.file);
	conf_shown(s->text, shown);
	if (problem->position)
		conf_diag_error(diag, at, keys[s->kind], "'%s': at its character %u: %s", shown,
				problem->position, problem->text);
	else
		conf_diag_error(diag, at, keys[s->kind], "'%s': %s", shown, problem->text);
}

int policy_match(const struct policy *p, struct policy_selectors *selectors,
		 struct match_tables *tables, struct conf_diag *diag)
{
	SNP_CLEANUP(policy_selectors_fini)
	struct policy_selectors s = {.n = 0};
	SNP_CLEANUP(match_problems_fini)
	struct match_problems problems = {.n = 0};
	int err = policy_selectors_collect(p, &s);

	if (!err)
		err = match_compile(s.list, s.n, tables, &problems);
	for (size_t i = 0; i < problems.n; i++)
		note(&problems.list[i], s.first[problems.list[i].selector], diag);
	if (problems.n)
		return conf_diag_finish(diag);
	if (err)
		return err;
	*selectors = s;
	s = (struct policy_selectors){.n = 0};
	return 0;
}
