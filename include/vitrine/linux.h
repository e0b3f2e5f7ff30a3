/* vitrine/linux.h - what a guest's Linux kernel knows, one noun at a time.
 *
 * A noun ("modules", "mounts", "sockets") is a kind of thing the kernel keeps. Walking it calls
 * back once for each, with a struct of its own (below, one a noun) that begins with a struct
 * vt_row. Its columns describe that struct, so that a table, JSON, SQL or a file can be made of
 * any noun without knowing it.
 *
 * Members are found by name in the kernel's own types; one that a kernel lacks is "unknown" where
 * the rest makes sense without it. Every row is read twice and its structure checked: see
 * enum vt_trust. The guest controls all of it: counts are bounded, cycles are cut, text may hold
 * any byte but zero.
 */
#ifndef VITRINE_LINUX_H
#define VITRINE_LINUX_H

#include "vitrine/guest.h"

/* ---------------------------------------------------------------- nouns */

/** The beginning of every row. */
struct vt_row {
    struct vt_gva at; /**< the kernel's object */
    enum vt_trust trust;
    char why[96];      /**< what made it torn, or "" */
    char finding[192]; /**< of nouns that check: what is wrong with it and why that matters, in
                        * plain words, or "" */
};

/** Which rows are wanted. */
struct vt_noun_query {
    int32_t pid;      /**< of nouns that belong to processes: only this one's; 0: all */
    const char *text; /**< of nouns that take one (see their `operands`), or NULL */
};

/** How a walk went. */
struct vt_noun_result {
    uint64_t rows, torn_rows;
    uint64_t findings; /**< rows with one */
    uint64_t checked;  /**< of nouns that check: what was looked at, when rows do not tell */
    bool torn;         /**< the walk itself met broken links or a limit: rows may be missing */
    char why[160];     /**< where and how, when torn */
};

/** Takes one row: a noun's struct, valid during the call with all it points to. Non-zero ends the
 *  walk and is returned by it. */
typedef int vt_row_fn(const struct vt_row *row, void *arg);

struct vt_walk;

struct vt_noun {
    const char *name;                   /**< "mounts"; also the verb */
    const char *member;                 /**< JSON array of its rows; NULL: the name */
    const char *summary;                /**< "List mounted file systems": one line, no full stop */
    const char *group;                  /**< of the verbs: "Guest", "Trust" */
    const char *description, *examples; /**< paragraphs for the man page, or NULL */
    bool checks;                        /**< its rows may have a finding */
    bool by_pid;                        /**< rows belong to processes: vt_noun_query.pid selects */
    bool kernel_by_default;             /**< of those: without a pid, rows are the kernel's */
    const char *operands; /**< usage, when it takes a vt_noun_query.text: "VM [PATH]"; else NULL */
    bool text_needed;
    const struct vt_column *columns;
    unsigned n_columns;
    int (*walk)(struct vt_walk *walk, struct vt_error *err);
};

/** All nouns, ended by NULL. */
extern const struct vt_noun *const vt_nouns[];
/** NULL: there is no such noun. */
const struct vt_noun *vt_noun_find(const char *name);

/** Calls `fn` for every row. `query` may be NULL: all. Bounded in time and memory whatever RAM
 *  holds; caches translations, so call vt_kernel_refresh first when the guest has run since.
 *  Errors: VT_E_NOT_FOUND (no such process; a symbol or member that the noun cannot do without),
 *  VT_E_UNSUPPORTED (the kernel was built without it), VT_E_NOMEM, VT_E_GONE; what `fn` returns. */
int vt_noun_walk(struct vt_kernel *kernel, const struct vt_noun *noun,
                 const struct vt_noun_query *query, vt_row_fn *fn, void *arg,
                 struct vt_noun_result *result, struct vt_error *err);

/* ---------------------------------------------------------------- rows, one struct a noun */

/** ps: processes, in the order the kernel's list has, which is that of their start; not the idle
 *  tasks. Users and groups are numbers of the initial user namespace. (include/linux/sched.h) */
struct vt_process {
    struct vt_row row;
    int32_t pid, tgid, ppid;  /**< ppid: 0 for those the kernel started */
    uint32_t uid, euid, gid;  /**< uid and gid: the real ones */
    char state[2];            /**< R S D T t X Z P I, as ps shows it */
    uint32_t cpu;             /**< where it runs, or last did */
    uint32_t threads;         /**< of the process */
    uint64_t start_ns;        /**< since boot */
    uint64_t rss_bytes;       /**< of its memory in RAM: anonymous, file and shared */
    struct vt_gpa page_table; /**< 0: a kernel thread */
    char comm[16 + 1];
    const char *args; /**< separated by blanks; NULL: none, or not in RAM */
};

/** pstree: processes as a tree, each after its parent; children of one in the order of their pids.
 *  Those whose parents form a circle, or are not there, hang on nothing. */
struct vt_tree_process {
    struct vt_row row;
    int32_t pid, ppid;
    uint32_t depth; /**< 0: hangs on nothing */
    uint32_t uid, threads;
    char state[2];
    char comm[16 + 1];
    char tree[256]; /**< comm behind the tree's lines; very deep ones begin with an ellipsis */
};

/** threads: threads of processes, the first of each included. (include/linux/sched.h) */
struct vt_thread {
    struct vt_row row;
    int32_t tid, pid;
    char state[2];
    uint32_t cpu;
    int32_t prio;             /**< as the scheduler's, less 100: 0…39 normal, negative real-time */
    int32_t nice;             /**< -20…19 */
    uint32_t rt_priority;     /**< 1…99; 0: not real-time */
    const char *policy;       /**< "OTHER", "FIFO", "RR", …; NULL: not known */
    struct vt_gva stack;      /**< the kernel stack's lowest address; 0: given back */
    uint64_t user_ns, sys_ns; /**< CPU time, as /proc/PID/task/TID/stat divides it */
    uint64_t voluntary, involuntary; /**< context switches */
    uint64_t start_ns;               /**< since boot */
    char comm[16 + 1];
};

/** kthreads: the kernel's own threads. (kernel/kthread.c, kernel/workqueue_internal.h) */
struct vt_kthread {
    struct vt_row row;
    int32_t pid;
    char state[2];
    uint32_t cpu;
    struct vt_gva stack;
    struct vt_gva function;    /**< what it was started with; 0: not known */
    const char *function_name; /**< NULL: no symbol begins there */
    struct vt_gva work;        /**< of a kworker: the work it is at; 0: none */
    const char *work_name;
    char comm[16 + 1];
    char name[96]; /**< as /proc/PID/comm has it: what was cut off, what a kworker was last at */
};

/** env: environments of processes, one row a variable, as the process was started with it or has
 *  overwritten it since; setenv(3) in the process does not show. */
struct vt_env_variable {
    struct vt_row row; /**< at: where the text begins, in the process's memory */
    int32_t pid;
    const char *comm;
    const char *name;  /**< NULL: its memory is not in RAM */
    const char *value; /**< NULL: no '=', or its memory is not in RAM */
};

/** creds: who processes are. Numbers of the initial user namespace. (include/linux/cred.h) */
struct vt_creds {
    struct vt_row row; /**< at: the task_struct */
    int32_t pid;
    struct vt_gva cred;
    uint32_t uid, euid, suid, fsuid;
    uint32_t gid, egid, sgid, fsgid;
    uint32_t securebits;
    uint32_t n_groups;
    const char *groups; /**< supplementary groups, separated by commas; NULL: none */
    char comm[16 + 1];
};

/** capabilities: what processes may do. (include/uapi/linux/capability.h, seccomp.h) */
struct vt_capabilities {
    struct vt_row row; /**< at: the task_struct */
    int32_t pid;
    uint64_t effective, permitted, inheritable, bounding, ambient; /**< bit n: capability n */
    /* Names separated by commas, "all" when none is missing, or "". */
    const char *effective_names, *permitted_names, *inheritable_names, *bounding_names,
        *ambient_names;
    const char *seccomp; /**< "none", "strict", "filter"; NULL: not known */
    uint32_t seccomp_filters;
    bool no_new_privs;
    char label[128]; /**< AppArmor profile; "": there is none */
    char comm[16 + 1];
};

/** namespaces: in which namespaces processes live; numbers as /proc/PID/ns has them, 0: none (left
 *  by a process that ended, or the kernel has no such namespaces). (include/linux/nsproxy.h) */
struct vt_namespaces {
    struct vt_row row; /**< at: the task_struct */
    int32_t pid;
    uint32_t mnt, uts, ipc, pid_ns, net, user, cgroup, time;
    uint32_t pid_for_children, time_for_children;
    int32_t inner_pid; /**< its number in its own PID namespace */
    uint32_t level;    /**< of that namespace: 0 is the initial one */
    char comm[16 + 1];
};

/** timers: what the kernel will do later: the timer wheels and high-resolution timers of each CPU,
 *  then POSIX and interval timers of each process. (kernel/time/timer.c, hrtimer.c, posix-timers.c)
 */
struct vt_timer {
    struct vt_row row;
    const char *kind;          /**< "wheel", "hrtimer", "posix", "itimer" */
    int32_t cpu;               /**< -1: of no CPU */
    const char *base;          /**< the clock it goes by, or which of the CPU's wheels */
    uint64_t expires;          /**< on that clock, in ns; of wheels in jiffies; 0: not armed */
    double in_s;               /**< from now on; negative: late; NaN: a CPU clock, or not armed */
    uint64_t interval_ns;      /**< 0: once */
    struct vt_gva function;    /**< 0: of a process */
    const char *function_name; /**< NULL: no symbol begins there */
    const char *work_name;     /**< of delayed work: its function; NULL: it is none */
    int32_t pid;       /**< of the process that has it or sleeps until then; 0: none, not known */
    int32_t id;        /**< of POSIX timers: their number; -1 */
    uint32_t signal;   /**< of POSIX timers: what they send; 0: not known */
    char comm[16 + 1]; /**< of that process, or "" */
};

/** cgroups: control groups, each after its parent; with a process asked for, those it is in, one a
 *  hierarchy, as /proc/PID/cgroup has them. (include/linux/cgroup-defs.h) */
struct vt_cgroup {
    struct vt_row row;
    int32_t pid;             /**< the process asked for; 0: none */
    uint32_t version;        /**< 1 or 2 */
    uint32_t hierarchy;      /**< its number; 0: that of version 2 */
    uint64_t id;             /**< the inode number of its directory */
    uint32_t processes;      /**< in itself, not in those below */
    uint32_t threads;        /**< the same */
    const char *controllers; /**< of version 2: that its settings can use; separated by commas */
    const char *path;        /**< from the hierarchy's root */
};

/** cpus: what each possible CPU is and runs now. Times are as of its last tick or switch.
 *  (arch/x86/include/asm/processor.h, kernel/sched/sched.h) */
struct vt_cpu {
    struct vt_row row; /**< at: its struct cpuinfo_x86 */
    uint32_t cpu;
    bool online, idle;     /**< idle: runs its idle task */
    int32_t pid, tid;      /**< of what it runs; 0: the idle task */
    struct vt_gva current; /**< that task_struct; 0: not known */
    uint32_t runnable;     /**< tasks that run or wait for it */
    uint64_t user_ns;      /**< time in user mode, nice or not */
    uint64_t sys_ns;       /**< in the kernel, interrupts included */
    uint64_t idle_ns;      /**< idle, without waiting for disks */
    struct vt_gva offset;  /**< what is added to a per-CPU variable's address */
    uint32_t khz;          /**< of its time stamp counter; 0: not known */
    uint32_t apic_id, family, model, stepping, microcode;
    char vendor[16 + 1]; /**< "GenuineIntel"; "": it never came up */
    char model_name[64 + 1];
    char comm[16 + 1]; /**< of what it runs */
};

/** uptime: how long the guest runs, and what it is busy with; one row. The clocks are as of the
 *  last tick: up to seconds ago when all CPUs are idle. (kernel/time/timekeeping.c) */
struct vt_uptime {
    struct vt_row row;  /**< at: the struct timekeeper */
    uint64_t uptime_ns; /**< since boot, suspended times included */
    uint64_t idle_ns;   /**< of all CPUs together */
    uint64_t boot_s;    /**< when it booted, seconds since 1970, by its own clock */
    uint64_t now_s;     /**< its own clock, seconds since 1970 */
    uint64_t jiffies;
    double load1, load5, load15; /**< runnable and waiting tasks, averaged over minutes */
    uint32_t running, tasks;     /**< tasks: threads of all processes */
    uint64_t forks;              /**< since boot */
    char booted[32], now[32];    /**< boot_s and now_s: "2026-01-31 23:59:59 UTC" */
};

/** maps: memory areas of processes, in ascending order. (include/linux/mm_types.h: vm_area_struct)
 */
struct vt_map {
    struct vt_row row;
    int32_t pid;
    struct vt_gva start, end; /**< end: one past the last byte */
    char perms[4 + 1];        /**< "rw-p", as in /proc/PID/maps */
    uint64_t offset;          /**< bytes into the file */
    char device[12];          /**< "08:01", hexadecimal major and minor number */
    uint64_t inode;           /**< 0: no file */
    uint64_t resident_bytes;  /**< counted in the page tables; without the page of zeros */
    uint64_t dirty_bytes;     /**< of these, with the dirty bit set in the page tables */
    uint64_t swapped_bytes;
    bool anon;        /**< it has pages of its own (anon_vma) */
    char flags[128];  /**< vm_flags in the words of /proc/PID/smaps: "rd wr mr mw me ac" */
    const char *name; /**< path, [heap], [stack], [vdso], [anon:NAME]; NULL: none */
    const struct vt_page_run *runs; /**< where what is resident lies: their bytes are
                                     * resident_bytes */
    size_t n_runs;
};

/** files: open descriptors of processes, and each one's working directory, root and program.
 *  (include/linux/fdtable.h, fs.h, fs_struct.h) */
struct vt_open_file {
    struct vt_row row; /**< the struct file; of "cwd" and "root" the struct path */
    int32_t pid;
    char comm[16 + 1];
    char fd[12];      /**< the descriptor's number, or "cwd", "root", "exe" */
    char kind[12];    /**< regular, directory, character, block, fifo, pipe, socket, symlink,
                         anon_inode, unknown */
    char flags[16];   /**< O_… as /proc/PID/fdinfo has them: "0100002"; "" without a descriptor */
    char modes[160];  /**< their names: "RDWR,LARGEFILE" */
    int64_t position; /**< of the next read or write, in bytes */
    int32_t mount_id;
    char device[24]; /**< "major:minor" of the file system */
    uint64_t inode, bytes;
    const char *path; /**< as readlink of /proc/PID/fd/N has it, seen from its namespace's root */
};

/** mounts: mounted file systems, namespace by namespace, in the order of /proc/PID/mountinfo.
 *  (fs/mount.h, fs/proc_namespace.c) */
struct vt_mount {
    struct vt_row row;
    uint64_t namespace; /**< its number, as readlink of /proc/PID/ns/mnt shows it */
    int32_t id, parent_id;
    char device[24];         /**< "major:minor" of the file system */
    char type[64];           /**< of the file system, with its subtype: "fuse.sshfs" */
    const char *source;      /**< what was mounted: a device, or what mount(8) was given */
    const char *root;        /**< the directory inside the file system that is mounted */
    const char *mount_point; /**< from the namespace's root, or the root of the process asked for */
    char options[96];        /**< of the mount: "rw,nosuid,relatime" */
    char super_options[48];  /**< of the file system: "ro", "rw,sync"; none of its own ones */
    char propagation[64];    /**< "shared:1 master:2 unbindable", or "" */
};

/** filesystems: every file system there is, mounted or kept by the kernel. (include/linux/fs.h:
 * struct super_block) */
struct vt_filesystem {
    struct vt_row row;
    char device[24]; /**< "major:minor" of its files */
    char type[32];
    char name[32]; /**< the device it lies on ("vda"), or its type */
    uint64_t block_bytes;
    uint64_t inodes;    /**< in memory, of those that can be listed */
    struct vt_gva root; /**< dentry of its root; 0: it is being made or torn down */
    char uuid[37];      /**< "" when it has none */
    char flags[128];    /**< "ro" or "rw", and SB_… by name: "rw,posixacl" */
};

/** pagecache: files with pages in RAM, file system by file system. What tmpfs, ramfs and an
 * initramfs hold is page cache, too. (include/linux/fs.h: struct address_space) */
struct vt_cached_file {
    struct vt_row row; /**< the struct inode */
    char device[24];   /**< "major:minor" of the file system */
    uint64_t inode;
    char fs[32];            /**< type of the file system */
    uint64_t bytes;         /**< size of the file */
    uint64_t pages;         /**< in RAM; of 4 KiB but for hugetlbfs */
    uint64_t dirty_pages;   /**< of them, to be written back */
    uint64_t evicted_pages; /**< remembered, but not there: evicted, or swapped out of a tmpfs */
    const char
        *path; /**< as struct vt_open_file has it; inside its file system when that is nowhere
                    mounted; "bdev:[major:minor]": a block device's; NULL: it has no name */
};

/** pagetables: page tables, neighbours that say the same as one range; those of the kernel when the
 *  query names no process. (arch/x86/include/asm/pgtable_types.h) */
struct vt_page_range {
    struct vt_row row;        /**< at: the first entry, in the kernel's mapping of all RAM */
    int32_t pid;              /**< 0: the kernel's */
    struct vt_gva start, end; /**< end: one past the last byte; 0: the end of the address space */
    uint64_t bytes;
    struct vt_gpa physical; /**< of the first page; all ones: there is none */
    bool scattered;         /**< the others do not follow it */
    uint64_t page_bytes;
    uint32_t level; /**< of the tables these entries are in; 1: of 4 KiB pages */
    uint64_t accessed_pages, dirty_pages, soft_dirty_pages;
    const char *what; /**< "page", "protnone", "swap", "special", "reserved", "outside" */
    char swap[32];    /**< "0:0x1f": swap area and first page in it; "": not swapped */
    char flags[40];   /**< "P W U G NX PWT PCD PAT PK3" */
};

/** One entry on the way of an address. */
struct vt_page_step {
    const char *level; /**< "PML5" … "PT" */
    uint32_t index;
    struct vt_gpa entry; /**< where it lies */
    uint64_t value;
    struct vt_gpa leads_to; /**< the next table, or the byte asked for; all ones: nowhere */
    const char *what;       /**< as of ranges; also "table" and "empty" */
    char swap[32];
    char flags[64]; /**< the entry's own */
};

/** The entries that lead to `gva`, at most space->levels of them. VT_E_ADDR: not canonical, or the
 *  root is not in RAM. */
int vt_linux_page_steps(struct vt_kernel *kernel, const struct vt_space *space, struct vt_gva gva,
                        struct vt_page_step steps[VT_LEVELS_MAX], unsigned *n,
                        struct vt_error *err);

/** modules: loaded modules, in the order /proc/modules has. (include/linux/module.h) */
struct vt_module {
    struct vt_row row;
    char name[64 + 1];
    struct vt_gva base; /**< of its code */
    uint64_t bytes;     /**< of all its memory but what is only needed while loading */
    uint32_t users;     /**< references, without the module loader's own */
    char used_by[1024]; /**< modules that use it, separated by commas, cut; or "" */
    bool permanent;     /**< cannot be removed */
    char state[12];     /**< "Live", "Loading", "Unloading"; "Unformed": before and after these */
    bool listed;        /**< /proc/modules shows it: all but unformed ones */
    char taints[32];    /**< letters as /proc/modules shows them, or "" */
    char version[64], srcversion[32]; /**< or "" */
    char args[256];                   /**< it was loaded with, cut; or "" */
};

/** slabs: caches of objects, in the order of /proc/slabinfo. (mm/slub.c) */
struct vt_slab_row {
    struct vt_row row;
    char name[64];
    uint64_t objects, active_objects; /**< as /proc/slabinfo counts them */
    uint32_t object_bytes;
    uint32_t size_bytes; /**< of the place for one object */
    uint32_t objects_per_slab;
    uint64_t slab_bytes; /**< of a slab of full size */
    uint64_t slabs, partial_slabs;
    uint64_t bytes;          /**< of all slabs */
    uint32_t users;          /**< caches that were merged into this one, itself included */
    uint32_t usercopy_bytes; /**< of an object, what user memory may be copied from and to */
    struct vt_gva ctor;      /**< 0: none */
    const char *ctor_name;   /**< NULL: none, or no symbol begins there */
    char flags[128];         /**< "hwcache_align panic account" */
};

/** vmalloc: pieces of the kernel's vmalloc area. (include/linux/vmalloc.h) */
struct vt_vmalloc_area {
    struct vt_row row; /**< at: the vmap_area */
    struct vt_gva start;
    uint64_t bytes;         /**< with its guard page */
    uint64_t pages;         /**< of RAM, where it was made of pages */
    struct vt_gpa physical; /**< of a device's memory; 0: none */
    char kind[48];          /**< words: "ioremap", "vmalloc", "vmap", "user", "dma-coherent" */
    struct vt_gva caller;   /**< who asked for it; 0: not known */
    char caller_name[160];  /**< "symbol+0x1f"; "": none */
};

/** memory: the kernel's counters of memory. (include/linux/mmzone.h: zone_stat_item,
 * node_stat_item)
 */
struct vt_memory_counter {
    struct vt_row row; /**< at: the counter */
    const char *name;  /**< "nr_free_pages", as /proc/vmstat has it */
    uint64_t bytes;
};

/** zones: of physical memory. (include/linux/mmzone.h) */
struct vt_zone {
    struct vt_row row;
    uint32_t node;
    char name[16]; /**< "DMA32" */
    struct vt_gpa start;
    uint64_t spanned_bytes, present_bytes, managed_bytes, free_bytes;
    uint64_t min_bytes, low_bytes, high_bytes; /**< watermarks */
};

/** dmesg: what the kernel has printed, oldest first; also what `dmesg -c` has cleared and what is
 *  not finished yet. (kernel/printk/printk_ringbuffer.h) */
struct vt_dmesg_record {
    struct vt_row row;
    uint64_t seq;       /**< number of the record since boot */
    uint64_t time_ns;   /**< of the CPU's clock since boot */
    uint8_t level;      /**< 0 emergency … 7 debug */
    uint8_t facility;   /**< 0 kernel, 1 user, … as in syslog(3) */
    uint16_t priority;  /**< 8 * facility + level: the number dmesg -r shows */
    const char *name;   /**< of the level: "err" */
    char caller[16];    /**< "T17": printed by that thread; "C0": by CPU 0 in an interrupt */
    bool continues;     /**< goes on where the record before it stopped */
    bool cleared;       /**< dmesg no longer shows it: it was cleared */
    const char *state;  /**< "finalized"; "committed": may still be added to; "reserved": being
                         * written, without text */
    char subsystem[17]; /**< of the device that it is about ("pci"), or "" */
    char device[49];    /**< "+pci:0000:00:01.0", or "" */
    const char *text;   /**< may be of several lines */
};

/** hidden: tasks and modules that some of the kernel's books do not have. The views are "yes",
 *  "no", or NULL where one does not apply. */
struct vt_hidden {
    struct vt_row row; /**< at: the task_struct or the struct module */
    const char *kind;  /**< "task", "module" */
    int32_t pid, tgid; /**< of a task */
    char name[64];
    const char *list, *threads, *table, *family, *running, *sysfs, *memory;
};

/** bpf: BPF programs with an id, and those whose code is in place without being listed.
 *  (include/linux/bpf.h, filter.h) */
struct vt_bpf_program {
    struct vt_row row; /**< at: the bpf_prog */
    uint32_t id;
    char type[32]; /**< "kprobe", "cgroup_skb", …, or its number */
    char name[16 + 1];
    char tag[16 + 1]; /**< hex of its digest */
    bool gpl;         /**< may call what only GPL code may */
    uint32_t instructions;
    bool jited;
    uint32_t jited_bytes;
    struct vt_gva function; /**< where its code begins, or the interpreter's */
    uint64_t memory_bytes;
    uint32_t functions;    /**< it is made of */
    uint32_t maps;         /**< it uses */
    uint32_t links;        /**< that attach it */
    char target[64];       /**< the function it is attached to by type, or "" */
    uint64_t runs, run_ns; /**< counted only while kernel.bpf_stats_enabled is set */
    uint64_t load_ns;      /**< when it was loaded, since boot */
    uint32_t uid;          /**< who loaded it; UINT32_MAX: not known */
    int32_t pid;           /**< the first process with a descriptor of it; 0: none */
    uint32_t holders;      /**< descriptors of it, of all processes */
    char comm[16 + 1];
    bool listed;
};

/** bpfmaps: BPF maps. */
struct vt_bpf_map {
    struct vt_row row; /**< at: the bpf_map */
    uint32_t id;
    char type[32];
    char name[16 + 1];
    uint32_t key_bytes, value_bytes, max_entries;
    uint32_t flags; /**< BPF_F_… */
    bool frozen;    /**< user space may not write to it any more */
    int64_t references, user_references;
    int32_t pid;
    uint32_t holders;
    char comm[16 + 1];
};

/** bpflinks: what attaches BPF programs. */
struct vt_bpf_link {
    struct vt_row row; /**< at: the bpf_link */
    uint32_t id;
    char type[32];
    uint32_t program; /**< its id */
    char program_name[16 + 1];
    char target[64]; /**< tracepoint, function or interface, or "" */
    struct vt_gva ops;
    char ops_name[64]; /**< "bpf_cgroup_link_lops", or "" */
    int32_t pid;
    uint32_t holders;
    char comm[16 + 1];
};

/** netfilter: what sees the network's packets, or says what there is: who can look, drop, change
 *  and hide. (include/linux/netfilter.h, net/protocol.h, linux/netdevice.h, linux/seq_file.h) */
struct vt_net_hook {
    struct vt_row row;
    const char *kind; /**< "netfilter", "packets" (struct packet_type), "protocol" (of IP),
                       * "receive" (a device's rx_handler), "xdp", "table" (of functions) */
    char family[12];  /**< "ipv4", "ipv6", "arp", "bridge", "device"; or "" */
    char hook[32];    /**< "prerouting", …; which packets; the protocol; the table's name */
    int32_t priority; /**< of netfilter: lower ones come first; else 0 */
    char device[16 + 1];
    uint32_t netns; /**< inode of its network namespace; 0: all of them */
    struct vt_gva function;
    char symbol[160]; /**< of the function, or "" */
    char owner[72];   /**< of its code: "kernel", "module nf_tables", "nobody" */
    char chain[96];   /**< of nf_tables: "TABLE CHAIN, 3 rules"; or "" */
};

/** syscalls: where each system call leads. */
struct vt_syscall {
    struct vt_row row; /**< at: the table's entry, or the function that dispatches */
    const char *abi;   /**< "x86-64", "ia32", "x32" */
    uint32_t number;
    char name[64]; /**< "openat", or "" */
    struct vt_gva handler;
    char symbol[160];    /**< of the handler, or "" */
    char owner[72];      /**< of its code: "kernel", "module ext4", "nobody" */
    const char *by;      /**< how the kernel gets there: a table or a function */
    struct vt_gva table; /**< entry of the table; 0: it has none */
};

/** idt: the gates of the interrupt descriptor table. */
struct vt_gate {
    struct vt_row row;
    uint32_t vector;
    const char *name; /**< of an exception, or NULL */
    const char *type; /**< "interrupt", "trap", "other" */
    uint8_t dpl, ist;
    bool present;
    uint16_t selector;
    struct vt_gva handler;
    char symbol[160]; /**< of the handler, or "" */
    char owner[72];   /**< of its code; "" when the gate is not in use */
};

/** ftrace: functions of the kernel that call somebody when they are entered; a row for each tracer
 *  and function. */
struct vt_ftrace {
    struct vt_row row;   /**< at: the ftrace_ops */
    char function[160];  /**< "vfs_read", or "every function" */
    struct vt_gva place; /**< 0: every function */
    struct vt_gva callback;
    char symbol[160], owner[72]; /**< of the callback */
    char flags[64];              /**< "registers,redirects", or "" */
    struct vt_gva trampoline;    /**< or 0 */
};

/** kprobes: probes on instructions of the kernel. */
struct vt_kprobe {
    struct vt_row row;
    const char *kind;            /**< "kprobe", "kretprobe" */
    struct vt_gva place;         /**< the instruction */
    char function[160];          /**< it is part of */
    char module[72];             /**< whose function that is */
    struct vt_gva handler, post; /**< 0: none */
    char symbol[160], owner[72]; /**< of the handler */
    char flags[40];              /**< "optimized ftrace", or "" */
};

/** notifiers: callbacks on notifier chains. */
struct vt_notifier {
    struct vt_row row; /**< at: the notifier_block */
    const char *chain; /**< "keyboard_notifier_list" */
    const char *what;  /**< it tells of: "every key that is pressed" */
    int32_t priority;
    struct vt_gva callback;
    char symbol[160], owner[72]; /**< of the callback */
};

/** inline: functions that begin with a jump to nobody's code. */
struct vt_inline {
    struct vt_row row; /**< at: the function */
    char function[160];
    char module[72]; /**< "kernel", or the module it is in */
    struct vt_gva target;
    char owner[72]; /**< of the target's code */
};

/** ttys: open terminals and the drivers of others, and who gets what is typed. */
struct vt_tty {
    struct vt_row row; /**< at: the tty_struct, or the tty_driver when none is open */
    char name[64 + 1], driver[64], ldisc[32];
    struct vt_gva receive; /**< of the line discipline; 0: there is none */
    char symbol[160], owner[72];
};

/** net: interfaces of every network namespace, one row for each address; an interface without one
 *  has one row. (include/linux/netdevice.h, inetdevice.h, net/if_inet6.h) */
struct vt_interface {
    struct vt_row row; /**< at: the net_device */
    uint32_t ifindex;
    char name[16 + 1];
    char flags[128]; /**< "UP,RUNNING,…" as ip shows them, and PROMISC whoever asked for it */
    uint32_t mtu;
    char type[16];        /**< "ether", "loopback", …, or its number */
    char mac[3 * 32];     /**< "02:00:…", as long as its addresses are; "" for none */
    const char *state;    /**< operational: "up", "down", "unknown", … */
    char kind[16];        /**< of virtual ones: "dummy", "veth", "bridge"; or "" */
    uint32_t promiscuity; /**< how many have asked for all packets */
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes; /**< UINT64_MAX: the driver keeps them in a
                                                          * way of its own */
    uint32_t netns;                                      /**< inode of its network namespace */
    const char *family;      /**< "inet", "inet6"; NULL: it has no address */
    char address[48];        /**< without the prefix */
    char peer[48];           /**< where the other end has another one, or "" */
    uint32_t prefix;         /**< bits */
    const char *scope;       /**< "global", "link", "host", "site", "nowhere" */
    char label[16 + 1];      /**< of an IPv4 address: "eth0:1" */
    char address_flags[128]; /**< "permanent,tentative,…" */
    char cidr[56];           /**< "10.0.0.1/24", or "" */
};

/** routes: of every table and network namespace, one row for each hop. (net/ipv4/fib_trie.c,
 *  net/ipv6/ip6_fib.c) */
struct vt_route {
    struct vt_row row;    /**< at: the fib_alias or the fib6_info */
    const char *family;   /**< "inet", "inet6" */
    char table[16];       /**< "main", "local", "default", or its number */
    char type[16];        /**< "unicast", "local", "broadcast", "blackhole", … */
    char destination[56]; /**< "10.0.0.0/8" */
    char gateway[48];     /**< or "" */
    char device[16 + 1];  /**< or "" */
    char source[48];      /**< the address of its own it prefers, or "" */
    uint32_t metric;
    char protocol[16]; /**< who made it: "kernel", "boot", "static", … */
    char scope[16];    /**< of IPv4: "global", "link", "host" */
    uint32_t netns;
};

/** neighbours: ARP's and NDISC's tables. (include/net/neighbour.h) */
struct vt_neighbour {
    struct vt_row row;
    const char *family;
    char address[48];
    char mac[3 * 32]; /**< "" until it is known */
    char device[16 + 1];
    const char *state; /**< "reachable", "stale", "permanent", … */
    bool router, proxy;
    uint32_t netns;
};

/** sockets: of every network namespace, and those that no table lists but a process holds.
 *  (include/net/sock.h, net/ipv4/inet_hashtables.c, net/unix/af_unix.c, …) */
struct vt_socket {
    struct vt_row row;
    char family[12];   /**< "inet", "inet6", "unix", "packet", "netlink", …, or its number */
    char type[12];     /**< "stream", "dgram", "raw", "seqpacket", …, or its number */
    char protocol[20]; /**< "tcp", "udp", "icmp"; of netlink "route"; of packet "ip", "all" */
    char state[16];  /**< as the kernel names TCP's: "LISTEN", "ESTABLISHED"; "" where a family has
                      * none */
    char local[128]; /**< "127.0.0.1:22", "[::1]:22", "/run/x", "@x"; "" for none */
    char peer[128];  /**< "socket:[17]" for a unix socket without an address */
    char local_address[112]; /**< the same without the port: an address or a path */
    char peer_address[112];
    uint32_t local_port, peer_port; /**< of netlink: port ids; of raw sockets: the protocol */
    uint64_t rx_bytes, tx_bytes;    /**< queued, as /proc/net has them: of a listening TCP or unix
                                     * socket, rx_bytes counts connections to be accepted */
    uint32_t uid;                   /**< UINT32_MAX: nobody's any more */
    uint64_t inode, peer_inode;     /**< 0: no file was made for it */
    uint32_t netns;                 /**< inode of its network namespace */
    char device[16 + 1];            /**< the interface it is bound to, or "" */
    int32_t pid;                    /**< of the first process that holds it; 0: none */
    int32_t fd;                     /**< there; -1: none */
    uint32_t holders;               /**< descriptors that lead to it, of all processes */
    char comm[16 + 1];
    bool listed; /**< in the kernel's tables; else only a process's descriptor leads to it */
};

/** malfind: executable user memory that nobody vouches for. */
struct vt_suspect {
    struct vt_row row; /**< at: the vm_area_struct */
    int32_t pid;
    char comm[16 + 1];
    struct vt_gva start, end;
    char perms[4 + 1];
    uint64_t resident_pages;
    uint64_t changed_pages; /**< of a file's or the kernel's code: the process's own copies */
    struct vt_gva first;    /**< where `bytes` lie; 0: nothing is in memory */
    char bytes[3 * 16];     /**< "fc 48 83 …" */
    char looks[24];         /**< "ELF file", "shellcode", "function", …; "": nothing known */
    const char *name;       /**< as of maps */
    char reason[64];        /**< "writable and executable, executable without a file" */
};

/* ---------------------------------------------------------------- content of cached files */

/** What there was of a file. */
struct vt_file_pages {
    uint64_t bytes;   /**< size of the file */
    uint64_t pages;   /**< that many pages */
    uint64_t present; /**< given to the callback */
    uint64_t evicted; /**< remembered, but not in RAM */
    uint64_t unready; /**< in RAM, but not read from disk yet */
    bool torn;        /**< some were reused while they were read, or cannot be right */
    char why[160];    /**< the first of them */
};

/** Takes one page of a file, in ascending order: n bytes at `offset`, fewer than 4096 at the end of
 *  the file only. Non-zero ends the walk and is returned by it. */
typedef int vt_file_page_fn(uint64_t offset, const uint8_t *bytes, size_t n, void *arg);

/** Reads what the page cache holds of the struct inode at `inode` (vt_cached_file.row.at). Pages
 * that are not there are left out: holes of the file, or never read. Each page was the file's
 * before and after it was copied. Bounded by the size of RAM. Errors: VT_E_NOT_FOUND (members),
 * VT_E_UNSUPPORTED (hugetlbfs), VT_E_CORRUPT (no inode), what `fn` returns. (mm/filemap.c) */
int vt_linux_file_pages(struct vt_kernel *kernel, struct vt_gva inode, vt_file_page_fn *fn,
                        void *arg, struct vt_file_pages *result, struct vt_error *err);

/** Which file has its page in the page cache at `gpa`: *inode its struct inode, *offset the byte of
 *  the file that lies there. From the page alone: it needs no process that maps it. Errors:
 *  VT_E_NOT_FOUND (the page is no file's; members). */
int vt_linux_file_at(struct vt_kernel *kernel, struct vt_gpa gpa, struct vt_gva *inode,
                     uint64_t *offset, struct vt_error *err);
/** One name of the file with the struct inode at `inode`, as vt_cached_file.path is.
 * VT_E_NOT_FOUND: it has none; VT_E_CORRUPT: no inode; VT_E_NOMEM. */
int vt_linux_file_path(struct vt_kernel *kernel, struct vt_gva inode, char *path, size_t size,
                       struct vt_error *err);

/* ---------------------------------------------------------------- where memory of a kind lies */

/** What memory is used for. Processes' kinds come first, the kernel's from VT_MEMORY_KERNEL on. */
enum vt_memory_kind {
    VT_MEMORY_PROCESS, /**< all that follows, of a process */
    VT_MEMORY_CODE,    /**< executable */
    VT_MEMORY_DATA,    /**< writable copies of files: .data and its like */
    VT_MEMORY_HEAP,    /**< grown by brk */
    VT_MEMORY_STACK,   /**< of the first thread; those of others are anonymous */
    VT_MEMORY_FILE,    /**< mapped from files otherwise, shared memory included */
    VT_MEMORY_ANON,    /**< anonymous: mmap, .bss, large blocks of malloc */
    VT_MEMORY_VDSO,    /**< lent by the kernel: [vdso], [vvar] */

    VT_MEMORY_KERNEL, /**< its image: the four that follow */
    VT_MEMORY_KERNEL_TEXT,
    VT_MEMORY_KERNEL_RODATA,
    VT_MEMORY_KERNEL_DATA,
    VT_MEMORY_KERNEL_BSS,
    VT_MEMORY_MODULES,       /**< and code made at run time: BPF, ftrace, kprobes */
    VT_MEMORY_KERNEL_STACKS, /**< of threads */
    VT_MEMORY_PAGE_TABLES,
    VT_MEMORY_SLAB,       /**< kmalloc and object caches */
    VT_MEMORY_VMALLOC,    /**< RAM in the vmalloc area, stacks there included */
    VT_MEMORY_PAGE_CACHE, /**< of files, mapped or not; shared memory and tmpfs included */
    VT_MEMORY_FREE,
    VT_MEMORY_KINDS,
};

/** "kernel_text", "heap". */
const char *vt_memory_kind_name(enum vt_memory_kind kind);
/** The way back. "text", "rodata", "data", "bss" and "stacks" are the kernel's unless they are
 * asked for `of_process`: then "text" is its code and "stacks" are its kernel stacks. VT_E_INVAL
 * names all kinds. */
int vt_memory_kind_parse(const char *name, bool of_process, enum vt_memory_kind *kind,
                         struct vt_error *err);
/** Of an area of a process: one from VT_MEMORY_CODE to VT_MEMORY_VDSO. */
enum vt_memory_kind vt_map_kind(const struct vt_map *map);

/** RAM that lies one behind the other, virtually and physically. */
struct vt_memory_run {
    enum vt_memory_kind kind; /**< never VT_MEMORY_PROCESS or _KERNEL: what they stand for */
    struct vt_gva gva;        /**< where its owner has it; of pages the kernel keeps in its map of
                               * all memory (slab, tables, cache, free): there */
    struct vt_gpa gpa;
    uint64_t bytes;
    unsigned flags;   /**< enum vt_page_flags, as in struct vt_page_run; 0: known by struct page */
    int32_t pid;      /**< of whom; 0: the kernel's */
    unsigned level;   /**< of page tables: 1 for those of 4 KiB pages, … 5; else 0 */
    const char *name; /**< the area's or file's, the process's; NULL: none. Valid during the
                       * call; may hold guest text */
};

/** Calls `fn` for the RAM of a kind. `pid`: of processes' kinds, of kernel stacks and page tables
 *  only this one's, 0: all; the others have no owner and take 0. In ascending order of addresses
 *  within one owner; tables in the order of a walk, each page once. What processes share is told of
 *  each. Devices' memory is left out. The guest may run meanwhile. A callback's non-zero return
 * ends it and is returned. Bounded by the size of RAM. Errors: VT_E_NOT_FOUND (no such process, an
 * essential symbol or member), VT_E_INVAL (a process given where there are no owners), VT_E_NOMEM,
 * VT_E_GONE. */
int vt_linux_memory_runs(struct vt_kernel *kernel, enum vt_memory_kind kind, int32_t pid,
                         int (*fn)(const struct vt_memory_run *run, void *arg), void *arg,
                         struct vt_error *err);

#endif
