/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_kernel.bpf.h - what we read of the kernel's own structs, and no more.
 *
 * Kernel side. Where a field is, libbpf takes from the running kernel's BTF
 * (/sys/kernel/btf/vmlinux). Every name is the kernel's.
 */
#ifndef SNP_KERNEL_BPF_H
#define SNP_KERNEL_BPF_H

#include <bpf/bpf_core_read.h>

#define SNP_OF_KERNEL __attribute__((preserve_access_index))

struct kernfs_node {
	__u64 id;
} SNP_OF_KERNEL;

struct cgroup_root {
	int hierarchy_id; /* 0: cgroup v2 */
} SNP_OF_KERNEL;

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
} SNP_OF_KERNEL;

struct cgroup {
	struct cgroup_subsys_state self;
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
} SNP_OF_KERNEL;

struct css_set {
	struct cgroup *dfl_cgrp; /* in cgroup v2 */
} SNP_OF_KERNEL;

struct task_struct {
	int tgid;
	struct css_set *cgroups;
	char comm[16];
} SNP_OF_KERNEL;

struct sock_cgroup_data {
	struct cgroup *cgroup;
} SNP_OF_KERNEL;

/* What follows three underscores is not of the name: <linux/in6.h> has one too. */
struct in6_addr___words {
	union {
		__be32 u6_addr32[4];
	} in6_u;
} SNP_OF_KERNEL;

struct net {
	__u64 net_cookie;
} SNP_OF_KERNEL;

typedef struct {
	struct net *net;
} SNP_OF_KERNEL possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr___words skc_v6_daddr;
	possible_net_t skc_net;
} SNP_OF_KERNEL;

struct sock {
	struct sock_common __sk_common;
	__u8 sk_kern_sock : 1; /* made by the kernel for itself */
	__u32 sk_max_ack_backlog;
	__u16 sk_type;
	__u16 sk_protocol;
	struct sock_cgroup_data sk_cgrp_data;
} SNP_OF_KERNEL;

/* Begins with its struct sock. */
struct tcp_sock;

/* Not there where the kernel has no MPTCP. */
struct mptcp_sock {
	struct sock *first;
} SNP_OF_KERNEL;

struct sk_buff {
	__u32 data_len; /* bytes in pages */
	__u32 end;
	unsigned char *head;
	struct sock *sk;
} SNP_OF_KERNEL;

struct skb_shared_info {
	__u8 flags; /* SKBFL_* */
} SNP_OF_KERNEL;

struct socket {
	struct sock *sk;
} SNP_OF_KERNEL;

struct seq_file;
struct file;

struct bpf_iter_meta {
	struct seq_file *seq;
} SNP_OF_KERNEL;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} SNP_OF_KERNEL;

#endif
