/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* snp_maps.bpf.c - defines every map, and the licence of the object. */
#define SNP_DEFINE_MAPS
#include "bpf/snp_maps.bpf.h"
#include "bpf/snp_judge.bpf.h"
#include "bpf/snp_scratch.bpf.h"

const volatile __u32 snp_reads_kernel = 1;

char LICENSE[] SEC("license") = "Dual BSD/GPL";
