/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who is running, for the programs in the kernel. Read there and at that moment, so that a process
 * that has ended a moment later has its name all the same.
 */
#pragma once

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel.h"
#include "record.h"

#define PATH_PARTS_MAX  24
#define GROUP_PARTS_MAX 10

/* Where components are put, and how many bytes of them. */
struct who_texts {
	char *text;  /* WATCH_TEXT_MAX bytes */
	__u32 flags; /* WATCH_PATH_CUT, WATCH_UNIT_CUT, WATCH_DELETED */
	__u16 path_size, group_size;
};

/* @task: the current one, as bpf_get_current_task_btf() tells it, or its members cannot be read without
 * a call for each. */
static __always_inline void identify(struct task_struct *task, struct watch_identity *identity)
{
	__u64 ids = bpf_get_current_pid_tgid();
	struct mm_struct *mm = task->mm;
	struct file *exe = mm ? mm->exe_file : NULL;
	struct inode *inode;

	identity->pid = ids >> 32;
	identity->tid = (__u32)ids;
	identity->uid = (__u32)bpf_get_current_uid_gid();
	identity->group = bpf_get_current_cgroup_id();
	bpf_get_current_comm(identity->comm, sizeof(identity->comm));
	if (!exe)
		return;
	inode = exe->f_inode;
	identity->exe_inode = inode->i_ino;
	identity->exe_device = inode->i_sb->s_dev;
	bpf_probe_read_kernel_str(identity->name, sizeof(identity->name),
				  exe->f_path.dentry->d_name.name);
}

/* Put one component behind the @used bytes of the text. Returns the bytes used now, or 0 if there
 * was no room for all of it. */
static __always_inline __u32 add_part(struct who_texts *texts, __u32 used, const void *name)
{
	long size;

	if (used > WATCH_TEXT_MAX - WATCH_PART_MAX)
		return 0;
	size = bpf_probe_read_kernel_str(texts->text + used, WATCH_PART_MAX, name);
	return size <= 0 || size == WATCH_PART_MAX ? 0 : used + (__u32)size;
}

/* The path of the executable, up to the root of its mount namespace, past every mount between. */
static __always_inline void add_path(struct task_struct *task, struct who_texts *texts)
{
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);
	struct dentry *at, *parent;
	struct vfsmount *of;
	struct mount *mount, *below;
	__u32 used = 0, more;
	int i;

	if (!exe)
		return;
	at = BPF_CORE_READ(exe, f_path.dentry);
	of = BPF_CORE_READ(exe, f_path.mnt);
	mount = (void *)of - bpf_core_field_offset(struct mount, mnt);
	if (!BPF_CORE_READ(at, d_hash.pprev))
		texts->flags |= WATCH_DELETED;
	for (i = 0; i < PATH_PARTS_MAX; i++) {
		parent = BPF_CORE_READ(at, d_parent);
		if (at == BPF_CORE_READ(mount, mnt.mnt_root) || at == parent) {
			below = BPF_CORE_READ(mount, mnt_parent);
			/* The root; or a file of no file system that is mounted anywhere (memfd).
			 */
			if (below == mount) {
				if (used == 0)
					more = add_part(texts, 0, BPF_CORE_READ(at, d_name.name));
				else
					more = used;
				texts->path_size = (__u16)more;
				return;
			}
			at = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = below;
			continue;
		}
		more = add_part(texts, used, BPF_CORE_READ(at, d_name.name));
		if (more == 0)
			break;
		used = more;
		at = parent;
	}
	texts->path_size = (__u16)used;
	texts->flags |= WATCH_PATH_CUT;
}

static __always_inline struct kernfs_node *group_parent(struct kernfs_node *node)
{
	if (bpf_core_field_exists(node->__parent))
		return BPF_CORE_READ(node, __parent);
	return BPF_CORE_READ((struct kernfs_node___before *)node, parent);
}

static __always_inline void add_group(struct task_struct *task, struct who_texts *texts)
{
	struct kernfs_node *node = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn), *parent;
	__u32 start = texts->path_size, used = start, more;
	int i;

	for (i = 0; i < GROUP_PARTS_MAX && node; i++) {
		parent = group_parent(node);
		if (!parent) {
			texts->group_size = (__u16)(used - start);
			return;
		}
		more = add_part(texts, used, BPF_CORE_READ(node, name));
		if (more == 0)
			break;
		used = more;
		node = parent;
	}
	texts->group_size = (__u16)(used - start);
	texts->flags |= WATCH_UNIT_CUT;
}
