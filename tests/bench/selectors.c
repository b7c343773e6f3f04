/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/bench/selectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/name.h"

static uint64_t seed = 1;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 16) % below);
}

/* Labels as people make them: words, some with a number behind. */
static const char *word(char text[static 32])
{
	static const char *const part[] = {"api",  "cdn",   "data", "mail", "edge", "shop",
					   "auth", "log",   "img",  "news", "pay",  "sync",
					   "map",  "video", "bot",  "test", "doc",  "ad"};
	size_t n = sizeof(part) / sizeof(part[0]);

	if (any(4))
		snprintf(text, 32, "%s%s", part[any(n)], part[any(n)]);
	else
		snprintf(text, 32, "%s-%u", part[any(n)], any(100));
	return text;
}

/* The i-th domain. */
static const char *domain(uint32_t i, char text[static 64])
{
	static const char *const tld[] = {"com", "net", "org", "io", "de", "co.uk", "dev", "cloud"};
	char a[32];
	uint64_t saved = seed;

	seed = (i + 1) * 0x9e3779b97f4a7c15ull;
	any(2);
	word(a);
	snprintf(text, 64, "%s%u.%s", a, i % 977, tld[any(8) & any(8)]);
	seed = saved;
	return text;
}

static void write_selector(struct set *s, uint32_t i)
{
	char a[32], b[32], d[64];
	char *t = s->text[i];

	domain(any(i / 4 + 1), d); /* four selectors to a domain */
	word(a);
	word(b);
	s->s[i] = (struct match_selector){.kind = POLICY_MATCH_PATTERN, .text = t};
	switch (any(20)) {
	case 0 ... 8:
		s->s[i].kind = POLICY_MATCH_NAME;
		snprintf(t, TEXT_MAX, "%s.%s", a, d);
		break;
	case 9 ... 12:
		snprintf(t, TEXT_MAX, "*.%s", d);
		break;
	case 13 ... 14:
		snprintf(t, TEXT_MAX, "**.%s", d);
		break;
	case 15 ... 16:
		snprintf(t, TEXT_MAX, "%s*.%s", a, d);
		break;
	case 17:
		snprintf(t, TEXT_MAX, "*%s*.%s", a, d);
		break;
	case 18:
		snprintf(t, TEXT_MAX, "*.%s.*.%s", a, d);
		break;
	default:
		snprintf(t, TEXT_MAX, "%s.%s.%s", b, a, d);
	}
}

struct set make_set(size_t n, bool two_stars)
{
	struct set s = {.n = n, .s = calloc(n, sizeof(*s.s)), .text = calloc(n, TEXT_MAX)};
	char a[32], b[32];

	if (!s.s || !s.text)
		abort();
	seed = 1;
	for (uint32_t i = 0; i < n; i++) {
		write_selector(&s, i);
		if (two_stars && i % 3 == 0) {
			word(a);
			snprintf(s.text[i], TEXT_MAX, any(2) ? "*%s*.com" : "%s*%s*.com", a,
				 word(b));
			s.s[i].kind = POLICY_MATCH_PATTERN;
		}
	}
	return s;
}

void free_set(struct set *s)
{
	free(s->s);
	free(s->text);
}

void make_names(struct names *names, const struct set *s, size_t from)
{
	names->bytes = 0;
	seed = 2;
	for (size_t i = 0; i < NAMES; i++) {
		const char *p = s->text[any((uint32_t)from)];
		char a[32], d[64], text[256];
		size_t n = 0;

		for (; *p; p++)
			if (*p != '*')
				text[n++] = *p;
			else if (p[1] != '*')
				n += (size_t)sprintf(text + n, "%s", word(a));
		text[n] = '\0';
		if (i & 1)
			snprintf(text, sizeof(text), "%s.%s", word(a), domain(any(1u << 20), d));
		names->len[i] = (size_t)name_from_text(text, names->wire[i]);
		names->bytes += names->len[i];
	}
}
