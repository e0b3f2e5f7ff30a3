/* guest/linux/ttys.c - terminals, and whose functions see what is typed on them. See
 * vitrine/linux.h.
 *
 * tty_drivers → struct tty_driver → ttys[] → struct tty_struct → ldisc → ops. Drivers of pseudo
 * terminals keep no such array: descriptors lead to those, struct file → tty_file_private → tty.
 * A keylogger replaces receive_buf of a line discipline; all functions of ldisc and driver are
 * checked.
 */
#include "guest/linux/fds.h"
#include "guest/linux/noun.h"
#include "guest/linux/ops.h"
#include "guest/linux/seen.h"
#include "guest/linux/tasks.h"

#include <inttypes.h>
#include <stdio.h>

#define DRIVERS_MAX 4096u
#define LINES_MAX 65536u
#define LINES_ALL_MAX (1u << 20) /* of all drivers together */

struct layout {
    struct vt_extent driver, tty;
    struct vt_member drivers, driver_name, name, num, ttys, driver_ops;
    struct vt_member tty_name, tty_ops, tty_driver, link, ldisc;
    struct vt_member f_op, private_data, file_tty;
    struct vt_member ldisc_ops, ldisc_name, receive_buf, receive_buf2;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, drivers, driver, "tty_driver", "tty_drivers"),
    VT_FIELD(layout, driver_name, driver, "tty_driver", "driver_name"),
    VT_FIELD(layout, name, driver, "tty_driver", "name"),
    VT_FIELD(layout, num, driver, "tty_driver", "num"),
    VT_FIELD(layout, ttys, driver, "tty_driver", "ttys"),
    VT_FIELD(layout, driver_ops, driver, "tty_driver", "ops"),
    VT_FIELD(layout, tty_name, tty, "tty_struct", "name"),
    VT_FIELD(layout, tty_ops, tty, "tty_struct", "ops"),
    VT_FIELD(layout, ldisc, tty, "tty_struct", "ldisc"),
    VT_FIELD_BARE(layout, tty_driver, "tty_struct", "driver"),
    VT_FIELD_BARE(layout, link, "tty_struct", "link"),
    VT_FIELD_BARE(layout, f_op, "file", "f_op"),
    VT_FIELD_BARE(layout, private_data, "file", "private_data"),
    VT_FIELD_BARE(layout, file_tty, "tty_file_private", "tty"),
    VT_FIELD_BARE(layout, ldisc_ops, "tty_ldisc", "ops"),
    VT_FIELD_BARE(layout, ldisc_name, "tty_ldisc_ops", "name"),
    VT_FIELD_BARE(layout, receive_buf, "tty_ldisc_ops", "receive_buf"),
    VT_FIELD_BARE_OPTIONAL(layout, receive_buf2, "tty_ldisc_ops", "receive_buf2"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct reading {
    struct vt_walk *w;
    const struct layout *l;
    struct vt_code_map map;
    struct vt_ops ldisc_ops, tty_ops;
    struct vt_gva tty_fops, console_fops;
    struct vt_seen seen; /* terminals that had their row */
    uint32_t lines;      /* looked at, of all drivers */
};

static void read_ldisc(struct reading *r, struct vt_gva at, struct vt_tty *t)
{
    struct vt_look *look = &r->w->look;
    const struct layout *l = r->l;
    char what[48];
    struct vt_code_at code;
    struct vt_gva ops = VT_GVA(vt_look_member(look, at, &l->ldisc_ops));
    struct vt_gva name = VT_GVA(vt_look_member(look, ops, &l->ldisc_name));
    vt_look_text(look, name, t->ldisc, sizeof t->ldisc);
    t->receive = VT_GVA(vt_look_member(look, ops, &l->receive_buf));
    if (l->receive_buf2.size != 0) {
        /* Where there are both, the kernel prefers this one. */
        uint64_t newer = vt_look_member(look, ops, &l->receive_buf2);
        t->receive = newer != 0 ? VT_GVA(newer) : t->receive;
    }
    if (t->receive.v != 0) {
        vt_code_find(&r->map, t->receive, &code);
        snprintf(t->symbol, sizeof t->symbol, "%s", code.symbol);
        snprintf(t->owner, sizeof t->owner, "%s", code.owner_text);
    }
    snprintf(what, sizeof what, "line discipline %s", t->ldisc);
    vt_ops_check(&r->map, &r->ldisc_ops, ops, what, &t->row);
}

static void read_tty(struct reading *r, struct vt_gva at, const struct vt_tty *driver,
                     struct vt_tty *t)
{
    struct vt_look *look = &r->w->look;
    struct vt_object o;
    *t = *driver;
    t->row.at = at;
    if (!vt_look_object(look, at, r->l->tty, &o)) {
        return;
    }
    vt_object_text(&o, &r->l->tty_name, t->name, sizeof t->name);
    uint64_t ops = vt_object_uint(&o, &r->l->tty_ops), ldisc = vt_object_uint(&o, &r->l->ldisc);
    if (ops != 0) {
        vt_ops_check(&r->map, &r->tty_ops, VT_GVA(ops), "driver", &t->row);
    }
    if (ldisc != 0) { /* one that is being closed has none */
        read_ldisc(r, VT_GVA(ldisc), t);
    }
}

/* The driver itself, for what has no terminals open; and how many lines it has at most. */
static uint32_t read_driver(struct reading *r, struct vt_gva at, struct vt_tty *t,
                            struct vt_gva *ttys)
{
    struct vt_look *look = &r->w->look;
    struct vt_object o;
    *t = (struct vt_tty){.row.at = at};
    *ttys = VT_GVA(0);
    if (!vt_look_object(look, at, r->l->driver, &o)) {
        return 0;
    }
    uint64_t driver = vt_object_uint(&o, &r->l->driver_name);
    if (driver != 0) {
        vt_look_text(look, VT_GVA(driver), t->driver, sizeof t->driver);
    }
    vt_look_text(look, VT_GVA(vt_object_uint(&o, &r->l->name)), t->name, sizeof t->name);
    uint64_t ops = vt_object_uint(&o, &r->l->driver_ops);
    if (ops != 0) {
        vt_ops_check(&r->map, &r->tty_ops, VT_GVA(ops), "driver", &t->row);
    }
    *ttys = VT_GVA(vt_object_uint(&o, &r->l->ttys));
    uint64_t num = vt_object_uint(&o, &r->l->num);
    return num < LINES_MAX ? (uint32_t)num : LINES_MAX;
}

static int walk_driver(struct reading *r, struct vt_gva at, struct vt_error *err)
{
    struct vt_walk *w = r->w;
    struct vt_tty driver, t;
    struct vt_gva ttys;
    uint32_t lines, open = 0;
    int rc = 0;
    do {
        vt_look_begin(&w->look);
        lines = read_driver(r, at, &driver, &ttys);
    } while (vt_look_again(&w->look));
    if (ttys.v != 0 && !w->look.doubted) {
        struct vt_tty bare = driver;
        bare.row.finding[0] = '\0';
        for (uint32_t i = 0; rc == 0 && i < lines; i++) {
            uint64_t tty;
            if (r->lines++ >= LINES_ALL_MAX) {
                vt_walk_torn(w, "more than %u lines", LINES_ALL_MAX);
                break;
            }
            if (vt_space_read_u64(w->space, VT_GVA(ttys.v + 8 * (uint64_t)i), &tty, NULL) != 0) {
                vt_walk_torn(w, "the lines of driver %s cannot be read", driver.driver);
                break;
            }
            if (tty == 0) {
                continue;
            }
            open++;
            if ((rc = vt_seen_add(&r->seen, tty, err)) != 1) {
                continue;
            }
            do {
                vt_look_begin(&w->look);
                if (vt_look_u64(&w->look, VT_GVA(ttys.v + 8 * (uint64_t)i)) != tty) {
                    vt_look_doubt(&w->look, "its line was closed");
                }
                read_tty(r, VT_GVA(tty), &bare, &t);
            } while (vt_look_again(&w->look));
            rc = vt_walk_row(w, &t.row);
        }
        vt_look_begin(&w->look); /* the driver's own row was steady */
    }
    return rc == 0 && (open == 0 || driver.row.finding[0] != '\0') ? vt_walk_row(w, &driver.row)
                                                                   : rc;
}

static int walk_drivers(struct reading *r, struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva head, node;
    int rc = vt_kernel_symbol(r->w->kernel, "tty_drivers", &head, err);
    if (rc != 0) {
        return rc;
    }
    vt_list_begin(&list, r->w->space, head, DRIVERS_MAX);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        if ((rc = walk_driver(r, VT_GVA(node.v - r->l->drivers.offset), err)) != 0) {
            break;
        }
    }
    vt_walk_list_end(r->w, &list);
    return rc;
}

/* One that a descriptor led to. */
static int list_open(struct reading *r, struct vt_gva at, struct vt_error *err)
{
    struct vt_look *look = &r->w->look;
    struct vt_tty driver, t;
    struct vt_gva ttys;
    int rc = at.v != 0 ? vt_seen_add(&r->seen, at.v, err) : 0;
    if (rc != 1) {
        return rc;
    }
    do {
        vt_look_begin(look);
        read_driver(r, VT_GVA(vt_look_member(look, at, &r->l->tty_driver)), &driver, &ttys);
        driver.row.finding[0] = '\0'; /* it is in the driver's row */
        read_tty(r, at, &driver, &t);
    } while (vt_look_again(look));
    return vt_walk_row(r->w, &t.row);
}

/* Of a pseudo terminal's two ends, the other one's descriptors may be in no process. */
static int follow_file(struct reading *r, struct vt_gva file, struct vt_error *err)
{
    const struct vt_space *space = r->w->space;
    const struct layout *l = r->l;
    uint64_t ops, data, tty, link;
    if (vt_space_read_u64(space, VT_GVA(file.v + l->f_op.offset), &ops, NULL) != 0 || ops == 0 ||
        (ops != r->tty_fops.v && ops != r->console_fops.v) ||
        vt_space_read_u64(space, VT_GVA(file.v + l->private_data.offset), &data, NULL) != 0 ||
        vt_space_read_u64(space, VT_GVA(data + l->file_tty.offset), &tty, NULL) != 0) {
        return 0; /* another kind of file, or one that is just being closed */
    }
    int rc = list_open(r, VT_GVA(tty), err);
    if (rc == 0 && vt_space_read_u64(space, VT_GVA(tty + l->link.offset), &link, NULL) == 0) {
        rc = list_open(r, VT_GVA(link), err);
    }
    return rc;
}

static int walk_process(struct vt_walk *w, const struct vt_task *task, void *arg,
                        struct vt_error *err)
{
    struct reading *r = arg;
    struct vt_fds fds;
    uint32_t fd;
    struct vt_gva file;
    int rc = vt_fds_begin(&fds, w->kernel, task->at, err);
    while (rc == 0 && vt_fds_next(&fds, &fd, &file)) {
        rc = follow_file(r, file, err);
    }
    if (rc == 0 && fds.torn) {
        vt_walk_torn(w, "pid %" PRId32 ": %s", task->pid, fds.why);
    }
    return rc;
}

static int walk_terminals(struct reading *r, struct vt_error *err)
{
    int rc = vt_kernel_symbol(r->w->kernel, "tty_fops", &r->tty_fops, err);
    rc = rc != 0 ? rc : vt_kernel_symbol(r->w->kernel, "console_fops", &r->console_fops, err);
    rc = rc != 0 ? rc : walk_drivers(r, err);
    return rc != 0 ? rc : vt_walk_processes(r->w, walk_process, r, err);
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct reading r = {.w = w};
    int rc = vt_layout_take(w->kernel, &type, &r.l, err);
    if (rc == 0) {
        rc = vt_ops_take(w->kernel, "tty_ldisc_ops", &r.ldisc_ops, err);
    }
    if (rc == 0) {
        rc = vt_ops_take(w->kernel, "tty_operations", &r.tty_ops, err);
    }
    if (rc == 0) {
        rc = vt_code_map_init(&r.map, w, err);
    }
    if (rc != 0) {
        return rc;
    }
    rc = walk_terminals(&r, err);
    vt_code_map_fini(&r.map);
    vt_seen_fini(&r.seen);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_tty, member, kind, key, title, doc)}
#define COLUMN_OR_NONE(member, kind, key, title, doc)                                              \
    {VT_COLUMN(vt_tty, member, kind, key, title, doc), .zero_is_none = true}

static const struct vt_column columns[] = {
    COLUMN(name, VT_CELL_CHARS, "name", "NAME",
           "of the terminal; of the driver's lines when none is open"),
    COLUMN_OR_NONE(driver, VT_CELL_CHARS, "driver", "DRIVER", "name of the driver"),
    COLUMN_OR_NONE(ldisc, VT_CELL_CHARS, "ldisc", "LDISC",
                   "line discipline: what makes lines of keys; none when it is not open"),
    COLUMN_OR_NONE(receive, VT_CELL_HEX, "receive_buf", "RECEIVE",
                   "the discipline's function that gets everything that is typed"),
    COLUMN_OR_NONE(owner, VT_CELL_CHARS, "owner", NULL, "whose code that is"),
    COLUMN_OR_NONE(symbol, VT_CELL_CHARS, "symbol", "SYMBOL", "of that function"),
};

const struct vt_noun vt_noun_ttys = {
    .name = "ttys",
    .summary = "Check who gets what is typed on terminals",
    .group = "Trust",
    .checks = true,
    .description =
        "Lists terminals that are open, and the drivers of others, with the function that gets\n"
        "everything typed there. A function of a line discipline or a driver that is nobody's\n"
        "code has a finding: keyloggers take such a place. Pseudo terminals are those that a\n"
        "process has open.",
    .examples = "vitrine ttys web",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
