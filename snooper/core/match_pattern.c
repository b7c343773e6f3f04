/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/match_pattern.h"

#include <stddef.h>
#include <string.h>

#define PATTERN_MAX 255

/* A stretch of text; final dots are cut off by shortening it. */
struct span {
	const char *p;
	size_t n;
};

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool label_char(char c)
{
	c = fold(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels of label characters (and stars, where wanted), one dot between them. */
static bool labels_ok(struct span s, bool stars)
{
	bool empty = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.') {
			if (empty)
				return false;
			empty = true;
		} else if (label_char(s.p[i]) || (stars && s.p[i] == '*')) {
			empty = false;
		} else {
			return false;
		}
	}
	return !empty;
}

static struct span without_final_dot(const char *text, size_t n)
{
	if (n && text[n - 1] == '.')
		n--;
	return (struct span){text, n};
}

static bool is_root(const char *text)
{
	return text[0] == '.' && !text[1];
}

bool match_pattern_valid(const char *pattern)
{
	size_t n = strnlen(pattern, PATTERN_MAX + 1);

	if (is_root(pattern))
		return true;
	return n <= PATTERN_MAX && labels_ok(without_final_dot(pattern, n), true);
}

/*
 * A star takes characters of one label only. So a dot that matched settles the
 * label before it, and going back to the label's last star is enough.
 */
static bool match_within_labels(struct span pat, struct span name)
{
	size_t i = 0, j = 0, star_i = 0, star_j = 0;
	bool star = false;

	while (j < name.n) {
		if (i < pat.n && pat.p[i] == '*') {
			star = true;
			star_i = ++i;
			star_j = j;
		} else if (i < pat.n && fold(pat.p[i]) == fold(name.p[j])) {
			star = star && name.p[j] != '.';
			i++;
			j++;
		} else if (star && name.p[star_j] != '.') {
			i = star_i;
			j = ++star_j;
		} else {
			return false;
		}
	}
	while (i < pat.n && pat.p[i] == '*')
		i++;
	return i == pat.n;
}

static size_t leading_stars(struct span pat)
{
	size_t n = 0;

	while (n < pat.n && pat.p[n] == '*')
		n++;
	return n;
}

bool match_pattern(const char *pattern, const char *name)
{
	struct span pat = without_final_dot(pattern, strlen(pattern));
	struct span full = without_final_dot(name, strlen(name));
	size_t stars = leading_stars(pat);

	if (!match_pattern_valid(pattern))
		return false;
	if (is_root(name))
		return is_root(pattern) || (stars && stars == pat.n);
	/* Neither a star nor a literal stands for any other byte, an escape's backslash included. */
	if (!labels_ok(full, false))
		return false;
	if (stars == pat.n)
		return stars > 0;
	if (stars < 2 || pat.p[stars] != '.')
		return match_within_labels(pat, full);

	pat = (struct span){pat.p + stars + 1, pat.n - stars - 1};
	for (size_t at = 1; at < full.n; at++)
		if (full.p[at - 1] == '.' &&
		    match_within_labels(pat, (struct span){full.p + at, full.n - at}))
			return true;
	return false;
}
