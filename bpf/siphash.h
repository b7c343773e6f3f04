/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * siphash.h - SipHash-1-3 (Aumasson and Bernstein, 2012) of a canonical name.
 *
 * Kernel and user space, pure. The key is drawn once per pinned set, so that
 * nobody outside can pick names whose hashes meet. The includer of dns_wire.h
 * supplies dns_word(), an unaligned little-endian 64-bit load.
 */
#ifndef SNP_SIPHASH_H
#define SNP_SIPHASH_H

#include <linux/types.h>

#define SIP_ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define SIP_ROUND                                                                                  \
	do {                                                                                       \
		v0 += v1;                                                                          \
		v1 = SIP_ROTL(v1, 13);                                                             \
		v1 ^= v0;                                                                          \
		v0 = SIP_ROTL(v0, 32);                                                             \
		v2 += v3;                                                                          \
		v3 = SIP_ROTL(v3, 16);                                                             \
		v3 ^= v2;                                                                          \
		v0 += v3;                                                                          \
		v3 = SIP_ROTL(v3, 21);                                                             \
		v3 ^= v0;                                                                          \
		v2 += v1;                                                                          \
		v1 = SIP_ROTL(v1, 17);                                                             \
		v1 ^= v2;                                                                          \
		v2 = SIP_ROTL(v2, 32);                                                             \
	} while (0)

/*
 * Hash of the first len (1 to 255) bytes at p, followed by zeros to the next
 * multiple of eight. Never 0: that means "no name" in a row.
 */
static inline __attribute__((always_inline)) __u64
siphash_name(const __u8 *p, __u32 len, const __u64 key[2])
{
	__u64 v0 = key[0] ^ 0x736f6d6570736575ull, v1 = key[1] ^ 0x646f72616e646f6dull;
	__u64 v2 = key[0] ^ 0x6c7967656e657261ull, v3 = key[1] ^ 0x7465646279746573ull;
	__u64 m = 0;
	__u32 i;

	for (i = 0; i < 32; i++) {
		__u32 at = i * 8;

		m = dns_word(p + at);
		if (at + 8 > len)
			break;
		v3 ^= m;
		SIP_ROUND;
		v0 ^= m;
	}
	m |= (__u64)len << 56;
	v3 ^= m;
	SIP_ROUND;
	v0 ^= m;
	v2 ^= 0xff;
	SIP_ROUND;
	SIP_ROUND;
	SIP_ROUND;
	m = v0 ^ v1 ^ v2 ^ v3;
	return m ? m : 1;
}

#endif
