/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/bench/trie.h"

#include <bpf/bpf.h>

#include "snooper/core/name.h"
#include "tests/bench/figure.h"

bool trie_key_of(const struct match_selector *s, struct trie_key *key)
{
	const char *text = s->text;
	bool suffix = *text == '*';
	uint8_t wire[256];
	int len;

	if (suffix)
		text += strspn(text, "*");
	if (strchr(text, '*') || (suffix && *text != '.'))
		return false;
	len = name_from_text(suffix ? text + 1 : text, wire);
	require(len > 0, "selector");
	memset(key, 0, sizeof(*key));
	for (int i = 0; i < len; i++)
		key->name[i] = wire[len - 1 - i];
	key->bits = (__u32)len * 8 + 1;
	if (!suffix) {
		key->name[len] = TRIE_END;
		key->bits = (__u32)(len + 1) * 8;
	}
	return true;
}

void trie_fill(struct trie *t, int fd, const struct set *s)
{
	uint64_t began = now_ns();

	t->n = 0;
	t->keys = calloc(s->n, sizeof(*t->keys));
	require(t->keys, "memory");
	for (size_t i = 0; i < s->n; i++)
		t->n += trie_key_of(&s->s[i], &t->keys[t->n]);
	for (size_t i = 0; i < t->n; i++)
		require(!bpf_map_update_elem(fd, &t->keys[i], &t->keys[i].bits, BPF_ANY), "trie");
	t->load_ns = now_ns() - began;
}

__u32 trie_longest(const struct trie *t, const uint8_t *wire, size_t len)
{
	uint8_t back[256 + 1] = {0};
	__u32 best = 0;

	for (size_t i = 0; i < len; i++)
		back[i] = wire[len - 1 - i];
	back[len] = TRIE_END;
	for (size_t i = 0; i < t->n; i++) {
		const struct trie_key *k = &t->keys[i];
		size_t bytes = k->bits / 8;

		if (k->bits > best && bytes <= len + 1 && !memcmp(k->name, back, bytes) &&
		    (!(k->bits % 8) || !(back[bytes] & 0x80)))
			best = k->bits;
	}
	return best;
}
