/* kernel.c - what is in the kernel itself: mounts, control groups, BPF, tracing, netfilter, its
 * log.
 */
#include "workload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---------------------------------------------------------------- mounts, control groups */

static int mounted(const char *what, const char *where, const char *type, unsigned long flags,
                   const char *data)
{
    mkdir(where, 0755);
    return mount(what, where, type, flags, data) == 0 || errno == EBUSY ? 0 : -1;
}

static int mounts(void)
{
    return mounted("a source", "/mnt/tmp", "tmpfs", MS_NOEXEC | MS_NOSUID, "size=1m,mode=700") ||
                   mounted("/run/workload", "/mnt/bound here", NULL, MS_BIND, NULL) ||
                   mount(NULL, "/mnt/bound here", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) ||
                   mount(NULL, "/mnt/tmp", NULL, MS_SHARED, NULL) ||
                   mounted("deeper", "/mnt/tmp/deeper", "tmpfs", MS_NOATIME | MS_NODEV, NULL) ||
                   mounted("covered", "/mnt/tmp/deeper", "ramfs", 0, NULL)
               ? -1
               : 0;
}

static int tracefs(void)
{
    return mounted("tracing", "/sys/kernel/tracing", "tracefs", 0, NULL);
}

static int debugfs(void)
{
    return mounted("debug", "/sys/kernel/debug", "debugfs", 0, NULL);
}

static int bpf_fs(void)
{
    return mounted("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
}

static int message_queues(void)
{
    return mounted("mqueue", "/dev/mqueue", "mqueue", 0, NULL);
}

static int control_groups(void)
{
    if (mounted("cgroup", "/sys/fs/cgroup", "cgroup2", MS_NOSUID, NULL) != 0) {
        return -1;
    }
    mkdir("/sys/fs/cgroup/workload", 0755);
    put("/sys/fs/cgroup/cgroup.subtree_control", "+pids +memory +cpu");
    put("/sys/fs/cgroup/workload/cgroup.subtree_control", "+pids");
    return mkdir("/sys/fs/cgroup/workload/inner", 0755);
}

/* ---------------------------------------------------------------- BPF */

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

static int load_program(enum bpf_prog_type type, const char *name)
{
    /* r0 = what lets everything pass; exit */
    const struct bpf_insn insns[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = type == BPF_PROG_TYPE_XDP ? XDP_PASS : 1},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr attr = {
        .prog_type = type,
        .insns = (uintptr_t)insns,
        .insn_cnt = sizeof insns / sizeof insns[0],
        .license = (uintptr_t)"GPL",
    };
    snprintf(attr.prog_name, sizeof attr.prog_name, "%s", name);
    return bpf(BPF_PROG_LOAD, &attr);
}

static int say_program(int program, const char *name)
{
    struct bpf_prog_info info = {0};
    union bpf_attr attr = {.info = {(unsigned)program, sizeof info, (uintptr_t)&info}};
    if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) != 0) {
        return -1;
    }
    say("bpf id %u type %u name %s tag %02x%02x%02x%02x%02x%02x%02x%02x jited %u", info.id,
        info.type, name, info.tag[0], info.tag[1], info.tag[2], info.tag[3], info.tag[4],
        info.tag[5], info.tag[6], info.tag[7], info.jited_prog_len);
    return 0;
}

static int bpf_filter(void)
{
    int program = load_program(BPF_PROG_TYPE_SOCKET_FILTER, "wl_filter");
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    return program < 0 || fd < 0 ||
                   setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program) != 0
               ? -1
               : say_program(program, "wl_filter");
}

static int classic_filter(void)
{
    struct sock_filter insns[] = {BPF_STMT(BPF_RET | BPF_K, 0xffff)};
    struct sock_fprog program = {1, insns};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    return fd < 0 ? -1 : setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static int bpf_cgroup(void)
{
    int group = open("/sys/fs/cgroup/workload", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int program = load_program(BPF_PROG_TYPE_CGROUP_SKB, "wl_cgroup");
    union bpf_attr attr = {.target_fd = (unsigned)group,
                           .attach_bpf_fd = (unsigned)program,
                           .attach_type = BPF_CGROUP_INET_INGRESS};
    return group < 0 || program < 0 || bpf(BPF_PROG_ATTACH, &attr) != 0
               ? -1
               : say_program(program, "wl_cgroup");
}

/* Held by a name in a file system only. */
static int bpf_pinned(void)
{
    int program = load_program(BPF_PROG_TYPE_TRACEPOINT, "wl_pinned");
    union bpf_attr attr = {.pathname = (uintptr_t)"/sys/fs/bpf/pinned",
                           .bpf_fd = (unsigned)program};
    if (program < 0 || bpf(BPF_OBJ_PIN, &attr) != 0) {
        return -1;
    }
    int rc = say_program(program, "wl_pinned");
    close(program);
    return rc;
}

static int say_link(int link)
{
    struct bpf_link_info info = {0};
    union bpf_attr attr = {.info = {(unsigned)link, sizeof info, (uintptr_t)&info}};
    if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) != 0) {
        return -1;
    }
    say("bpflink id %u type %u program %u", info.id, info.type, info.prog_id);
    return 0;
}

static int bpf_cgroup_link(void)
{
    int group = open("/sys/fs/cgroup/workload", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int program = load_program(BPF_PROG_TYPE_CGROUP_SKB, "wl_linked");
    union bpf_attr attr = {.link_create = {.prog_fd = (unsigned)program,
                                           .target_fd = (unsigned)group,
                                           .attach_type = BPF_CGROUP_INET_EGRESS}};
    int link = group < 0 || program < 0 ? -1 : bpf(BPF_LINK_CREATE, &attr);
    return link < 0 ? -1 : say_link(link);
}

/* Where a quiet guest does not pass. */
static int bpf_tracepoint_link(void)
{
    int program = load_program(BPF_PROG_TYPE_RAW_TRACEPOINT, "wl_traced");
    union bpf_attr attr = {
        .raw_tracepoint = {.name = (uintptr_t)"module_load", .prog_fd = (unsigned)program}};
    int link = program < 0 ? -1 : bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
    return link < 0 ? -1 : say_link(link);
}

static int bpf_xdp_link(void)
{
    int program = load_program(BPF_PROG_TYPE_XDP, "wl_xdp");
    union bpf_attr attr = {.link_create = {.prog_fd = (unsigned)program,
                                           .target_ifindex = if_nametoindex("lo"),
                                           .attach_type = BPF_XDP,
                                           .flags = XDP_FLAGS_SKB_MODE}};
    int link = program < 0 ? -1 : bpf(BPF_LINK_CREATE, &attr);
    return link < 0 ? -1 : say_link(link);
}

static int bpf_map(void)
{
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_HASH,
        .key_size = 4,
        .value_size = 16,
        .max_entries = 64,
        .map_name = "wl_map",
    };
    int fd = bpf(BPF_MAP_CREATE, &attr);
    if (fd < 0) {
        return -1;
    }
    uint32_t key = 7;
    char value[16] = "a value";
    union bpf_attr element = {
        .map_fd = (unsigned)fd, .key = (uintptr_t)&key, .value = (uintptr_t)value};
    return bpf(BPF_MAP_UPDATE_ELEM, &element);
}

/* ---------------------------------------------------------------- tracing */

#define TRACING "/sys/kernel/tracing/"

/* On functions that a quiet guest does not run. */
static int kprobe(void)
{
    return put(TRACING "kprobe_events", "p:vitrine/wl_probe vfs_rename") != 0 ||
                   put(TRACING "events/vitrine/wl_probe/enable", "1") != 0
               ? -1
               : 0;
}

static int more_probes(const char *event, const char *enable)
{
    int fd = open(TRACING "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);
    ssize_t n = (ssize_t)strlen(event);
    if (fd < 0 || write(fd, event, (size_t)n) != n) {
        return -1;
    }
    close(fd);
    return put(enable, "1");
}

static int kretprobe(void)
{
    return more_probes("r:vitrine/wl_return vfs_fsync_range",
                       TRACING "events/vitrine/wl_return/enable");
}

/* Two share one place: the kernel serves them from a list. */
static int second_kprobe(void)
{
    return more_probes("p:other/wl_second vfs_rename", TRACING "events/other/wl_second/enable");
}

static int function_tracer(void)
{
    return put(TRACING "set_ftrace_filter", "vfs_fallocate") != 0 ||
                   put(TRACING "current_tracer", "function") != 0
               ? -1
               : 0;
}

/* ---------------------------------------------------------------- netfilter */

/* A batch of netlink messages, each with nested attributes; all offsets are multiples of four. */
struct batch {
    _Alignas(8) char bytes[2048];
    size_t n;
};

static struct nlmsghdr *message(struct batch *b, uint16_t type, uint8_t family, uint16_t res_id)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(b->bytes + b->n);
    const bool edge = type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END;
    *header = (struct nlmsghdr){
        .nlmsg_type = edge ? type : (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
        .nlmsg_flags =
            edge ? NLM_F_REQUEST : NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK,
    };
    *(struct nfgenmsg *)(header + 1) = (struct nfgenmsg){family, NFNETLINK_V0, htons(res_id)};
    b->n += sizeof *header + sizeof(struct nfgenmsg);
    return header;
}

static struct nlattr *attribute(struct batch *b, uint16_t type, const void *data, size_t n)
{
    struct nlattr *attr = (struct nlattr *)(b->bytes + b->n);
    *attr = (struct nlattr){(uint16_t)(sizeof *attr + n), type};
    if (n > 0) {
        memcpy(attr + 1, data, n);
    }
    b->n += (sizeof *attr + n + 3) / 4 * 4;
    return attr;
}

static void text(struct batch *b, uint16_t type, const char *value)
{
    attribute(b, type, value, strlen(value) + 1);
}

static void number(struct batch *b, uint16_t type, int32_t value)
{
    uint32_t big = htonl((uint32_t)value);
    attribute(b, type, &big, sizeof big);
}

static struct nlattr *nest(struct batch *b, uint16_t type)
{
    return attribute(b, type | NLA_F_NESTED, NULL, 0);
}

static void end_nest(struct batch *b, struct nlattr *attr)
{
    attr->nla_len = (uint16_t)(b->bytes + b->n - (char *)attr);
}

static void end_message(struct batch *b, struct nlmsghdr *header)
{
    header->nlmsg_len = (uint32_t)(b->bytes + b->n - (char *)header);
}

static void describe_rules(struct batch *b)
{
    end_message(b, message(b, NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
    struct nlmsghdr *table = message(b, NFT_MSG_NEWTABLE, NFPROTO_INET, 0);
    text(b, NFTA_TABLE_NAME, "workload");
    end_message(b, table);

    struct nlmsghdr *chain = message(b, NFT_MSG_NEWCHAIN, NFPROTO_INET, 0);
    text(b, NFTA_CHAIN_TABLE, "workload");
    text(b, NFTA_CHAIN_NAME, "incoming");
    struct nlattr *hook = nest(b, NFTA_CHAIN_HOOK);
    number(b, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_IN);
    number(b, NFTA_HOOK_PRIORITY, -5);
    end_nest(b, hook);
    text(b, NFTA_CHAIN_TYPE, "filter");
    end_message(b, chain);

    struct nlmsghdr *rule = message(b, NFT_MSG_NEWRULE, NFPROTO_INET, 0);
    text(b, NFTA_RULE_TABLE, "workload");
    text(b, NFTA_RULE_CHAIN, "incoming");
    struct nlattr *expressions = nest(b, NFTA_RULE_EXPRESSIONS), *one = nest(b, NFTA_LIST_ELEM);
    text(b, NFTA_EXPR_NAME, "immediate");
    struct nlattr *data = nest(b, NFTA_EXPR_DATA);
    number(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    struct nlattr *value = nest(b, NFTA_IMMEDIATE_DATA), *verdict = nest(b, NFTA_DATA_VERDICT);
    number(b, NFTA_VERDICT_CODE, NF_ACCEPT);
    end_nest(b, verdict);
    end_nest(b, value);
    end_nest(b, data);
    end_nest(b, one);
    end_nest(b, expressions);
    end_message(b, rule);
    end_message(b, message(b, NFNL_MSG_BATCH_END, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

static int netfilter(void)
{
    static struct batch b;
    char answer[8192];
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    describe_rules(&b);
    if (fd < 0 || send(fd, b.bytes, b.n, 0) != (ssize_t)b.n) {
        return -1;
    }
    for (int acks = 0; acks < 3;) {
        ssize_t n = recv(fd, answer, sizeof answer, 0);
        if (n < (ssize_t)sizeof(struct nlmsghdr)) {
            return -1;
        }
        const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
        for (size_t left = (size_t)n; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
            const struct nlmsgerr *e = NLMSG_DATA(header);
            if (header->nlmsg_type == NLMSG_ERROR && e->error != 0) {
                errno = -e->error;
                return -1;
            }
            acks++;
        }
    }
    say("netfilter family inet hook 1 priority -5");
    return close(fd);
}

/* ---------------------------------------------------------------- its log */

static int messages(void)
{
    char line[900];
    int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    memset(line, 'l', sizeof line - 1);
    memcpy(line, "<6>workload: a long line ", 25);
    line[sizeof line - 1] = '\0';
    static const char *const texts[] = {
        "<3>workload: an error\n",
        "<14>workload: from the user's side\n",
        "<4>workload: two\nlines\n",
        "<7>workload: odd bytes \x01\x1b[31m \xff\xfe \xc3\xa9\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (write(fd, texts[i], strlen(texts[i])) < 0) {
            return -1;
        }
    }
    return write(fd, line, sizeof line - 1) < 0 ? -1 : close(fd);
}

const struct item kernel_items[] = {
    {"messages", messages},
    {"tracefs", tracefs},
    {"debugfs", debugfs},
    {"bpf-fs", bpf_fs},
    {"message-queues", message_queues},
    {"mounts", mounts},
    {"control-groups", control_groups},
    {"bpf-filter", bpf_filter},
    {"classic-filter", classic_filter},
    {"bpf-cgroup", bpf_cgroup},
    {"bpf-pinned", bpf_pinned},
    {"bpf-cgroup-link", bpf_cgroup_link},
    {"bpf-tracepoint-link", bpf_tracepoint_link},
    {"bpf-xdp-link", bpf_xdp_link},
    {"bpf-map", bpf_map},
    {"kprobe", kprobe},
    {"kretprobe", kretprobe},
    {"second-kprobe", second_kprobe},
    {"function-tracer", function_tracer},
    {"netfilter", netfilter},
    {0},
};
